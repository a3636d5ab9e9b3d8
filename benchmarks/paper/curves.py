"""Mean IoU after each click, as in the paper's Figures 4 and 6."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.evaluation.metrics import mean_iou_at
from ritm_edge.optional import require

from ..results import NocRun, by_benchmark

PANEL_INCHES = (4.2, 3.4)
PANELS_PER_ROW = 3


@dataclass(frozen=True)
class Curve:
    """Mean IoU over the objects of one benchmark after 1, 2, … clicks of one file. An object that
    ended at the target keeps its last IoU; `stopped` is the first number of clicks that not every
    object got, None if all got all."""

    benchmark: str
    label: str
    means: tuple[float, ...]
    stopped: int | None


def curve_of(run: NocRun) -> Curve:
    """The curve of one run."""
    ious = [np.array(each.known) for each in run.per_object]
    clicks = max((len(each) for each in ious), default=0)
    shortest = min((len(each) for each in ious), default=0)
    means = tuple(mean_iou_at(ious, k) for k in range(1, clicks + 1))
    return Curve(run.benchmark, run.file, means, shortest + 1 if shortest < clicks else None)


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """One panel per benchmark, one line per file; the format goes by the suffix of `path`. Raises
    MissingExtraError: matplotlib is not installed."""
    require("matplotlib", extra="report")
    from matplotlib.figure import Figure

    benchmarks = by_benchmark(curves)
    columns = min(PANELS_PER_ROW, len(benchmarks))
    lines = -(-len(benchmarks) // columns)
    width, height = PANEL_INCHES
    figure = Figure(figsize=(columns * width, lines * height), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, (benchmark, shown) in zip(panels, benchmarks.items(), strict=False):
        for curve in shown:
            clicks = np.arange(1, len(curve.means) + 1)
            panel.plot(clicks, np.multiply(curve.means, 100), marker=".", label=_plain(curve.label))
        panel.set(title=_plain(benchmark), xlabel="clicks", ylabel="mean IoU, %")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small", loc="lower right")
    for panel in panels[len(benchmarks) :]:
        panel.set_axis_off()
    figure.savefig(path, dpi=150)


def _plain(text: str) -> str:
    """Not as mathematics, which a stray $ would start (and a broken formula would end the run)."""
    return text[:60].replace("$", r"\$")
