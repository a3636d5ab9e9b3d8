"""GrabCut (Rother et al., SIGGRAPH 2004), by OpenCV."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .seeds import BACKGROUND, OBJECT

# 5 iterations: as in OpenCV's tutorial. The seed of OpenCV's generator decides its clustering.
PARAMETERS = {"iterations": 5, "seed": 0}
CLUSTERS = 5


def segment(photo: NDArray[np.uint8], seeds: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Mask, bool [H, W], of a photo, uint8 RGB [H, W, 3], and seeds as `seeds.seed_map` has them.
    What no seed decides is probably background at first; with less than five pixels of each kind,
    which is how many clusters of colours it forms, the seeds are the answer."""
    labels: NDArray[np.uint8] = np.full(seeds.shape, cv2.GC_PR_BGD, np.uint8)
    labels[seeds == OBJECT] = cv2.GC_FGD
    labels[seeds == BACKGROUND] = cv2.GC_BGD
    background = (labels == cv2.GC_BGD) | (labels == cv2.GC_PR_BGD)
    if min(np.count_nonzero(background), np.count_nonzero(~background)) < CLUSTERS:
        return np.asarray(seeds == OBJECT)
    cv2.setRNGSeed(PARAMETERS["seed"])
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), *models, PARAMETERS["iterations"], cv2.GC_INIT_WITH_MASK)
    found: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found
