"""Confidence intervals of means over objects, by resampling the objects (percentile bootstrap)."""

import numpy as np

from ritm_edge.evaluation.metrics import Ious

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0
_BLOCK = 1_000  # resamples drawn at once; bounds the memory on sets of thousands of objects


def mean_interval(values: Ious) -> tuple[float, float]:
    """Interval (low, high) that holds the mean of another such sample, one value per object, with
    probability 0.95, always the same. The differences of two measurements on the same objects give
    a paired interval."""
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


def median_ratio_interval(old: Ious, new: Ious) -> tuple[float, float]:
    """Interval (low, high) of the ratio of two medians, new by old, from the samples of two runs
    that have nothing to do with each other; always the same."""
    generator = np.random.default_rng(SEED)
    medians = []
    for values in (old, new):
        sample = np.asarray(values, np.float64)
        drawn = sample[generator.integers(0, sample.size, (_BLOCK, sample.size))]
        medians.append(np.median(drawn, axis=1))
    low, high = np.quantile(medians[1] / medians[0], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
