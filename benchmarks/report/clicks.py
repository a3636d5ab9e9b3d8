"""The page's tables of clicks: one per benchmark, every file with the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from ritm_edge.tables import UNMEASURED

from ..noc.table import Entry, counted, noc_cells
from ..results import NocRun, by_benchmark


@dataclass(frozen=True)
class ClickTable:
    """All files on one benchmark: cells as text in the order of the files, and per file its name
    and the count of clicks to 0.90, or to the strictest IoU there is."""

    benchmark: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[tuple[str, Entry], ...]


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
    rows, bars = [], []
    for run in runs:
        entry = run.model_dump()
        main, cells = counted(entry)[0], noc_cells(entry)
        iou = main["name"].rpartition("@")[2]
        shown = (*names, "95 %", "to first", *(f"≥{limit}@{iou}" for limit in limits))
        shown += (f"never {main['name'][3:]}", "s/click", "objects")
        runtime = run.runtime if run.engine is None else f"{run.runtime}, {run.engine}"
        size = "any" if run.size is None else "×".join(map(str, run.size))
        about = (run.file, runtime, run.precision, size)
        rows.append((*about, *(cells.get(name, UNMEASURED) for name in shown)))
        bars.append((run.file, main))
    return ClickTable(benchmark, header, tuple(rows), tuple(bars))
