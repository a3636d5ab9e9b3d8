"""IoU, number of clicks (NoC) and over-limit counts, as published."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError, UsageError

Ious = Sequence[float] | NDArray[np.floating[Any]]


def iou(truth: NDArray[np.integer[Any]], predicted: NDArray[np.bool_]) -> float:
    """Intersection over union on the pixels that are not ignored, of a truth of integers [H, W] (1
    object, −1 ignored, anything else background) and a mask, bool [H, W]: 0…1 in double precision,
    NaN where there is no object and none was predicted. Raises ShapeError: arrays of different
    sizes."""
    if truth.shape != predicted.shape:
        raise ShapeError(
            f"the truth is {list(truth.shape)} and the mask {list(predicted.shape)}: pass arrays "
            "of the same size."
        )
    return mask_iou(truth == 1, predicted & (truth != -1), empty=float("nan"))


def mask_iou(first: NDArray[np.bool_], second: NDArray[np.bool_], *, empty: float = 1.0) -> float:
    """Intersection over union of two masks of one shape, 0…1; `empty` where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else empty


def clicks_to_reach(ious: Ious, target_iou: float) -> int | None:
    """Number of the first click with an IoU of `target_iou` or more; None if there is none.

    Both are compared in float32, as published: 0.8999999762 reaches 0.9, NaN reaches nothing.
    """
    reached = np.flatnonzero(np.asarray(ious, np.float32) >= np.float32(target_iou))
    return int(reached[0]) + 1 if reached.size else None


@dataclass(frozen=True)
class NocSummary:
    """Number of clicks to reach one IoU.

    Attributes:
        target_iou: the IoU to reach, 0…1.
        max_clicks: counted for a sample that never reaches it.
        per_sample: clicks of each sample.
        mean: NoC@target, mean of `per_sample`.
        at_limit: samples whose count equals `max_clicks`; the published "≥ 20" column, which
            includes samples solved exactly at the last click.
        failed: samples that never reach the target (the strict count).
    """

    target_iou: float
    max_clicks: int
    per_sample: tuple[int, ...]
    mean: float
    at_limit: int
    failed: int


def summarize_noc(
    all_ious: Sequence[Ious], target_iou: float, *, max_clicks: int = 20
) -> NocSummary:
    """Number of clicks over a data set, from the IoU after each click of every sample; `max_clicks`
    is counted where the target, 0…1, is never reached. Raises UsageError: no samples."""
    if not all_ious:
        raise UsageError("there are no samples to summarise: pass at least one.")
    reached = [clicks_to_reach(ious, target_iou) for ious in all_ious]
    counts = tuple(max_clicks if count is None else count for count in reached)
    return NocSummary(
        target_iou=target_iou,
        max_clicks=max_clicks,
        per_sample=counts,
        mean=float(np.mean(counts)),
        at_limit=counts.count(max_clicks),
        failed=reached.count(None),
    )


def noc_thresholds(target_iou: float) -> list[float]:
    """IoUs that the published evaluation reports for a stop at `target_iou`: 0.80, 0.85, …."""
    return [float(value) for value in np.arange(0.8, min(0.95, target_iou) + 0.001, 0.05)]


def ious_at(all_ious: Sequence[Ious], clicks: int) -> NDArray[np.float64]:
    """IoU of each sample after 1 or more clicks, NaN without any object; a sample that stopped
    earlier keeps its last one."""
    return np.array([ious[min(clicks, len(ious)) - 1] for ious in all_ious], np.float64)


def mean_iou_at(all_ious: Sequence[Ious], clicks: int) -> float:
    """Mean IoU over samples after a number of clicks. A sample that stopped earlier keeps its last
    IoU. Samples without any object (NaN) are left out; NaN if none is left. Raises UsageError:
    `clicks` < 1, or a sample without clicks."""
    if clicks < 1 or any(len(ious) == 0 for ious in all_ious):
        raise UsageError(
            f"mean IoU after {clicks} clicks cannot be formed: ask for 1 or more clicks, over "
            "samples with at least one."
        )
    values = ious_at(all_ious, clicks)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
