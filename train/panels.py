"""Pictures of what the network was shown and what it answered."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[np.uint8]

POSITIVE = (40, 200, 60)
NEGATIVE = (230, 50, 40)
IGNORED = 128
CLICK_RADIUS = 3
GAP = 4


def panel(
    image: Tensor,
    clicks: Tensor,
    prev_mask: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    samples: int = 4,
) -> Picture:
    """Draw some samples of a batch, one per row: the photo, the clicks on it (green and red), the
    previous mask, the predicted probability, the truth (ignored pixels grey).

    Image is [B, 3, H, W], RGB in 0…1, clicks [B, 2K, 3], previous mask (0…1), logits and labels (1
    object, 0 background, −1 ignored) [B, 1, H, W]; the picture is uint8 [rows, columns, 3], RGB.
    """
    rows = []
    for index in range(min(samples, len(image))):
        photo = _bytes(image[index]).transpose(1, 2, 0)
        truth = np.where(_array(labels[index, 0]) == -1, IGNORED, 255 * _array(labels[index, 0]))
        columns = (
            photo,
            _with_clicks(photo, _array(clicks[index])),
            _grey(_bytes(prev_mask[index, 0])),
            _grey(_bytes(torch.sigmoid(logits[index, 0].float()))),
            _grey(truth.astype(np.uint8)),
        )
        rows.append(_join(columns, axis=1))
    return _join(rows, axis=0)


def _with_clicks(photo: Picture, clicks: NDArray[np.float32]) -> Picture:
    picture = np.ascontiguousarray(photo)
    for index, (row, column, _) in enumerate(clicks):
        if max(row, column) >= 0:
            colour = POSITIVE if index < len(clicks) // 2 else NEGATIVE
            centre = (round(float(column)), round(float(row)))
            cv2.circle(picture, centre, CLICK_RADIUS, colour, -1)
            cv2.circle(picture, centre, CLICK_RADIUS, (255, 255, 255), 1)
    return picture


def _join(pictures: "list[Picture] | tuple[Picture, ...]", *, axis: int) -> Picture:
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    return np.concatenate(parts, axis=axis)


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().float().cpu().numpy()


def _bytes(values: Tensor) -> Picture:
    return np.asarray(np.round(_array(values).clip(0, 1) * 255), np.uint8)


def _grey(values: Picture) -> Picture:
    return np.repeat(values[..., None], 3, axis=2)
