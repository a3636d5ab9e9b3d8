"""The page's tables of clicks: one per benchmark, every file with the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from ritm_edge.tables import UNMEASURED, optional

from ..results import Noc, NocRun, by_benchmark

TARGET = 0.9


@dataclass(frozen=True)
class Bar:
    """One file's mean and interval."""

    file: str
    entry: Noc


@dataclass(frozen=True)
class ClickTable:
    """All files on one benchmark.

    Attributes:
        rows: cells as text, in the order of the files.
        bars: the count of clicks to 0.90, or to the strictest IoU there is.
    """

    benchmark: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[Bar, ...]


def click_tables(runs: Sequence[NocRun]) -> list[ClickTable]:
    """One table per benchmark, in the order of the files."""
    return [_table(*each) for each in by_benchmark(runs).items()]


def _table(benchmark: str, runs: Sequence[NocRun]) -> ClickTable:
    names = list(dict.fromkeys(entry.name for run in runs for entry in run.noc))
    limits = sorted({entry.max_clicks for run in runs for entry in run.noc})
    header = (
        *("file", "runtime", "precision", "size", *names, "95 % interval", "to first file"),
        *(f"≥{limit}" for limit in limits),
        *("never", "s/click", "objects"),
    )
    rows = tuple(_row(run, names, limits) for run in runs)
    return ClickTable(benchmark, header, rows, tuple(Bar(r.file, main_entry(r)) for r in runs))


def main_entry(run: NocRun) -> Noc:
    """The published figure: clicks to 0.90 of at most 20, or what comes nearest."""
    at_target = [entry for entry in run.noc if entry.iou == TARGET]
    return (at_target or [run.noc[-1]])[0]


def _row(run: NocRun, names: Sequence[str], limits: Sequence[int]) -> tuple[str, ...]:
    entry = main_entry(run)
    means = {each.name: f"{each.mean:.2f}" for each in run.noc}
    at_limit = {
        each.max_clicks: str(each.at_limit_published) for each in run.noc if each.iou == entry.iou
    }
    objects = str(run.objects)
    if run.objects != run.objects_in_benchmark:
        objects += f" of {run.objects_in_benchmark}"
    return (
        run.file,
        run.runtime if run.engine is None else f"{run.runtime}, {run.engine}",
        run.precision,
        "any" if run.size is None else "×".join(map(str, run.size)),
        *(means.get(name, UNMEASURED) for name in names),
        f"{entry.interval[0]:.2f}…{entry.interval[1]:.2f}",
        optional(None if entry.difference is None else entry.difference.mean, "+.2f"),
        *(at_limit.get(limit, UNMEASURED) for limit in limits),
        str(entry.never_reached),
        f"{run.seconds_per_click:.2f}",
        objects,
    )
