"""What each exact rewrite gains, from timing graphs with one more pass each in turns.

A results file holds a `LatencyReport` and, under "shares", one entry per pass in order:

    name              of the pass
    median_ms         with it and all before it
    ratio_to_previous, ratio_to_baseline    medians of the ratios within each round
"""

from collections.abc import Sequence
from typing import Any

from .latency.ratios import median_ratio
from .latency.timing import LatencyReport


def rewrite_shares(names: Sequence[str], report: LatencyReport) -> list[dict[str, Any]]:
    """One entry per pass, as the module describes; `report` is of the baseline graph and then of
    one graph for each pass, with it and all before."""
    rows = report.rows
    return [
        {
            "name": name,
            "median_ms": row.median_ms,
            "ratio_to_previous": median_ratio(row.samples_ms, previous.samples_ms),
            "ratio_to_baseline": median_ratio(row.samples_ms, rows[0].samples_ms),
        }
        for name, row, previous in zip(names, rows[1:], rows[:-1], strict=True)
    ]
