"""Confidence intervals of means over objects, by resampling the objects (percentile bootstrap)."""

import numpy as np

from ritm_edge.evaluation.metrics import Ious

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0
_BLOCK = 1_000  # resamples drawn at once; bounds the memory on sets of thousands of objects


def mean_interval(values: Ious) -> tuple[float, float]:
    """Interval that holds the mean of another such sample with probability 0.95, always the same.

    Args:
        values: one per object, at least one; for the difference of two measurements on the same
            objects pass the differences, which makes the interval a paired one.

    Returns:
        (low, high) in the units of the values.
    """
    sample = np.asarray(values, np.float64)
    generator = np.random.default_rng(SEED)
    means = np.concatenate(
        [
            sample[generator.integers(0, sample.size, (count, sample.size))].mean(axis=1)
            for count in [_BLOCK] * (RESAMPLES // _BLOCK)
        ]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
