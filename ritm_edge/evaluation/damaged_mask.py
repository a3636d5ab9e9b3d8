"""A mask as another tool might have left it: the truth with bites taken out and blobs added.

For measuring how many clicks repair an external mask (paper, section 1 and figure 1).
"""

import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .metrics import iou

# Radii of the disks, in square roots of the object's area.
SMALLEST, LARGEST = 0.02, 0.25
MAX_DISKS = 10_000
TOLERANCE = 0.02


def damaged_mask(
    truth: NDArray[np.integer[Any]], target_iou: float, *, name: str = ""
) -> NDArray[np.bool_]:
    """Erase and add disks around the object's border until the IoU has fallen to a target between 0
    and 1: a mask, bool [H, W], whose IoU is at most this, and less by no more than about 0.02 where
    the object is large enough for that. The truth is integers [H, W]: 1 object, −1 ignored,
    anything else background; the same one and the same name give the same mask. Raises UsageError:
    no object to damage, or an IoU that is not between 0 and 1."""
    if not 0 < target_iou < 1:
        raise UsageError(f"the IoU of a starting mask is {target_iou}: pass one between 0 and 1.")
    mask: NDArray[np.uint8] = (truth == 1).astype(np.uint8)
    if not mask.any():
        raise UsageError(f"{name or 'the truth'} has no object to start from: leave it out.")
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    kernel = np.ones((3, 3), np.uint8)
    border = np.argwhere(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, kernel))
    if len(border) == 0:  # the object is the whole image
        border = np.argwhere(mask)
    scale = float(np.sqrt(mask.sum()))
    shrink = 1.0
    for _ in range(MAX_DISKS):
        row, column = border[generator.integers(len(border))]
        radius = max(1, round(shrink * scale * generator.uniform(SMALLEST, LARGEST)))
        erase_or_add = (float(generator.integers(2)),)
        tried = mask.copy()
        cv2.circle(tried, (int(column), int(row)), radius, erase_or_add, cv2.FILLED)
        value = iou(truth, tried.astype(bool))
        if value < target_iou - TOLERANCE and radius > 1:
            shrink *= 0.8  # too big a bite at once: smaller ones from here on
            continue
        mask = tried
        if value <= target_iou:
            break
    return mask.astype(bool)
