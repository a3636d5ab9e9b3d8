"""Random walker (Grady, PAMI 2006), by scikit-image."""

import numpy as np
from numpy.typing import NDArray

from ..optional import require
from .seeds import BACKGROUND, OBJECT

segmentation = require("skimage.segmentation", extra="methods")

# scikit-image's default for beta; conjugate gradients need no further library, and end later than
# by default, since probabilities leave 0…1 otherwise.
PARAMETERS = {"beta": 130, "mode": "cg_j", "tol": 1e-4, "prob_tol": 1e-2}


def segment(photo: NDArray[np.uint8], seeds: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Mask, bool [H, W], of a photo, uint8 RGB [H, W, 3], and seeds as `seeds.seed_map` has them;
    without a seed of each sign, or on a photo of one colour, the seeds are the answer."""
    both = (seeds == OBJECT).any() and (seeds == BACKGROUND).any()
    if not both or photo.min() == photo.max():
        return np.asarray(seeds == OBJECT)
    labels = np.where(seeds == BACKGROUND, 2, seeds).astype(np.int64)
    found = segmentation.random_walker(photo / 255.0, labels, channel_axis=-1, **PARAMETERS)
    selected: NDArray[np.bool_] = found == 1
    return selected
