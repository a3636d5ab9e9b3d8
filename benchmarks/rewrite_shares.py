"""What each exact rewrite gains, from timing graphs with one more pass each in turns.

A results file holds a `LatencyReport` and, under "shares", one entry per pass in order:

    name              of the pass
    median_ms         with it and all before it
    ratio_to_previous, ratio_to_baseline    medians of the ratios within each round
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .latency.timing import LatencyReport, paired_ratios


def rewrite_shares(names: Sequence[str], report: LatencyReport) -> list[dict[str, Any]]:
    """One entry per pass, as the module describes.

    Args:
        names: of the passes, in order.
        report: of the baseline graph and then of one graph for each pass, with it and all before.
    """
    baseline, *variants = report.rows
    previous = baseline
    shares = []
    for name, row in zip(names, variants, strict=True):
        shares.append(
            {
                "name": name,
                "median_ms": row.median_ms,
                "ratio_to_previous": _ratio(row.samples_ms, previous.samples_ms),
                "ratio_to_baseline": _ratio(row.samples_ms, baseline.samples_ms),
            }
        )
        previous = row
    return shares


def _ratio(samples: Sequence[float], reference: Sequence[float]) -> float:
    return float(np.median(paired_ratios(samples, reference)))
