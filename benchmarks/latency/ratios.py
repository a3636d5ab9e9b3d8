"""Ratios of times that were measured in turns."""

from collections.abc import Sequence

import numpy as np


def paired_ratios(samples: Sequence[float], reference: Sequence[float]) -> tuple[float, ...]:
    """Time by time of the reference, round by round."""
    return tuple(own / other for own, other in zip(samples, reference, strict=True))


def median_ratio(samples: Sequence[float], reference: Sequence[float]) -> float:
    """Median of `paired_ratios`."""
    return float(np.median(paired_ratios(samples, reference)))
