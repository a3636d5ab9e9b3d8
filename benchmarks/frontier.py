"""Which artifact to take: clicks to a good mask against the time of a click, and what is best.

A results file is {kind, points}; each point has the fields of `Point`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ritm_edge.devices import HERE
from ritm_edge.errors import UsageError
from ritm_edge.evaluation.metrics import mean_iou_at
from ritm_edge.optional import require
from ritm_edge.tables import markdown_table

from .noc.table import IOU_CLICKS
from .results import LatencyResults, LatencyRow, NocRun, Results, noc_runs

KIND = "ritm-edge frontier"
MARKERS = "os^Dv*"
NOC_NAME = "NoC20@90"
COLUMNS = (
    *("benchmark", "model", "size", "precision", "runtime", "flip"),
    *(NOC_NAME, *(f"IoU@{clicks}" for clicks in IOU_CLICKS), "ms/click", "ms to 0.90"),
)
PANEL_INCHES = (6.0, 4.2)


@dataclass(frozen=True)
class Point:
    """One artifact with one setting on one benchmark, on one machine or device.

    Attributes:
        flip: whether the session averages with the mirror image, which runs the network twice.
        noc: mean number of clicks to an IoU of 0.90, at most 20.
        mean_ious: after `IOU_CLICKS`; an object that was solved keeps its last IoU.
        ms_per_click: median time of the network on this place, twice with `flip`; the session
            around it is not in it.
        ms_to_mask: of all clicks to an IoU of 0.90.
        best: no other point of this benchmark and place needs fewer clicks in no more time a click,
            or as few in less.
    """

    benchmark: str
    place: str
    file: str
    model: str
    size: str
    precision: str
    runtime: str
    flip: bool
    noc: float
    mean_ious: tuple[float, ...]
    ms_per_click: float
    ms_to_mask: float
    best: bool = False


def frontier(results: Iterable[Results]) -> list[Point]:
    """A point for every file whose clicks (app protocol, NoC20@90) and times are among the results,
    the fastest first. Raises UsageError: clicks by the published protocol, which no app follows, a
    run without NoC20@90, or no file of which both are known."""
    results = list(results)
    timed = [
        (each, row) for each in results if isinstance(each, LatencyResults) for row in each.rows
    ]
    points = [
        _point(run, times, row)
        for run in noc_runs(results)
        for times, row in timed
        if row.sha256 == run.sha256 and row.is_device_time
    ]
    if not points:
        raise UsageError(
            "no file has both clicks and times in these results: pass those of bench noc "
            "--protocol app and of bench latency, measured with the same artifacts."
        )
    return [
        replace(each, best=not any(_beats(other, each) for other in points))
        for each in sorted(points, key=lambda p: (p.benchmark, p.place, p.ms_per_click, p.noc))
    ]


def _point(run: NocRun, times: LatencyResults, row: LatencyRow) -> Point:
    if run.settings.protocol == "published":
        raise UsageError(
            f"the clicks of {run.file} follow the published protocol: measure what apps get, with "
            "bench noc --protocol app."
        )
    noc = next((each for each in run.noc if each.name == NOC_NAME), None)
    if noc is None:
        raise UsageError(f"{run.file} has no {NOC_NAME}: measure it with the default target.")
    ious = [each.known for each in run.per_object]
    time = row.median_ms * (2 if run.settings.flip else 1)
    return Point(
        benchmark=run.benchmark,
        place=(times.machine.cpu or "this machine") if row.place == HERE else row.place,
        file=run.file,
        model=run.model or run.file,
        size="any" if run.size is None else "×".join(map(str, run.size)),
        precision=run.precision,
        runtime=run.runtime,
        flip=run.settings.flip,
        noc=noc.mean,
        mean_ious=tuple(mean_iou_at(ious, clicks) for clicks in IOU_CLICKS),
        ms_per_click=time,
        ms_to_mask=time * noc.mean,
    )


def _beats(one: Point, other: Point) -> bool:
    mine, theirs = (one.noc, one.ms_per_click), (other.noc, other.ms_per_click)
    same_place = (one.benchmark, one.place) == (other.benchmark, other.place)
    no_worse = mine[0] <= theirs[0] and mine[1] <= theirs[1]
    return same_place and no_worse and mine != theirs


def as_document(points: Sequence[Point]) -> dict[str, Any]:
    """Plain values, as the module describes."""
    return {"kind": KIND, "points": [asdict(each) for each in points]}


def frontier_rows(points: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Cells of `COLUMNS`."""
    return [
        (
            *(each[key] for key in ("benchmark", "model", "size", "precision", "runtime")),
            "yes" if each["flip"] else "no",
            f"{each['noc']:.2f}",
            *(f"{iou:.3f}" for iou in each["mean_ious"]),
            *(f"{each[key]:.0f}" for key in ("ms_per_click", "ms_to_mask")),
        )
        for each in points
    ]


def frontier_table(points: Sequence[Mapping[str, Any]]) -> str:
    """In Markdown: the best points, and a line about all of them."""
    places = ", ".join(sorted({each["place"] for each in points}))
    best = [each for each in points if each["best"]]
    note = (
        f"\n{len(best)} of {len(points)} combinations; no other one needs fewer clicks in less "
        f"time. Median time of the network alone, {places}; with flip averaging it runs twice a "
        "click.\n"
    )
    return markdown_table(COLUMNS, frontier_rows(best)) + note


def draw_frontier(points: Sequence[Point], path: Path) -> None:
    """One panel per benchmark and place; the format goes by the suffix of `path`. Raises
    MissingExtraError: matplotlib is not installed."""
    require("matplotlib", extra="report")
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((each.benchmark, each.place) for each in points))
    models, runtimes = (sorted({getattr(p, k) for p in points}) for k in ("model", "runtime"))
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(panels), height), layout="constrained")
    for axes, (benchmark, place) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        here = [each for each in points if (each.benchmark, each.place) == (benchmark, place)]
        for point in here:
            colour = f"C{models.index(point.model)}"
            axes.plot(
                point.ms_per_click,
                point.noc,
                marker=MARKERS[runtimes.index(point.runtime) % len(MARKERS)],
                color=colour,
                markerfacecolor="none" if point.flip else colour,
                linestyle="none",
            )
        best = [each for each in here if each.best]
        axes.plot([p.ms_per_click for p in best], [p.noc for p in best], color="0.5", zorder=0)
        for point in best:
            axes.annotate(
                f"{point.size.split('×')[0]} {point.precision}",
                (point.ms_per_click, point.noc),
                xytext=(4, 5),
                textcoords="offset points",
                fontsize="x-small",
            )
        for index, model in enumerate(models):
            axes.plot([], [], color=f"C{index}", marker="s", linestyle="none", label=model)
        for index, runtime in enumerate(runtimes):
            axes.plot([], [], MARKERS[index % len(MARKERS)], color="0.3", label=runtime)
        axes.plot([], [], "o", color="0.3", markerfacecolor="none", label="with flip averaging")
        axes.set(title=benchmark, ylabel=NOC_NAME, xlabel=f"ms per click, {place}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
    figure.savefig(path, dpi=150)
