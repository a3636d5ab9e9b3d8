"""Geometry of the page's charts; the template draws them as inline SVG and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from ritm_edge.tables import optional

from ..paper.curves import Curve
from ..results import by_benchmark

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 32
COLOURS = 8  # distinguishable ones; the table below a chart lists every file
TABLE_CLICKS = (1, 2, 3, 5, 10, 20)


@dataclass(frozen=True)
class Line:
    """One file's curve in units of the drawing: (x, y, words) of each click, and the same points as
    SVG's "x,y x,y"; `style` is 0 … `COLOURS` − 1."""

    label: str
    style: int
    points: tuple[tuple[float, float, str], ...]
    path: str


@dataclass(frozen=True)
class CurveChart:
    """Mean IoU after each click on one benchmark.

    Attributes:
        lines: at most `COLOURS`.
        hidden: how many more files were measured.
        x_ticks, y_ticks: (position, text).
        table: per file its label and the mean IoU at `TABLE_CLICKS`, as text.
        stopped: whether some objects ended at the target, and keep their last IoU.
    """

    benchmark: str
    lines: tuple[Line, ...]
    hidden: int
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    table: tuple[tuple[str, tuple[str, ...]], ...]
    stopped: bool


def curve_charts(curves: Sequence[Curve]) -> list[CurveChart]:
    """One chart per benchmark, in the order of the curves."""
    return [_chart(*each) for each in by_benchmark(curves).items()]


def _chart(benchmark: str, curves: Sequence[Curve]) -> CurveChart:
    shown = curves[:COLOURS]
    most = max(len(curve.means) for curve in shown)
    known = [mean for curve in shown for mean in curve.means if mean == mean]
    floor = int(10 * min(known, default=0.0)) / 10  # down to a tenth

    def x(click: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (click - 1) / max(1, most - 1)

    def y(mean: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - mean) / max(0.1, 1 - floor)

    lines = []
    for style, curve in enumerate(shown):
        points = tuple(
            (round(x(k), 1), round(y(mean), 1), f"{k} clicks: {mean:.1%}")
            for k, mean in enumerate(curve.means, start=1)
            if mean == mean
        )
        path = " ".join(f"{a},{b}" for a, b, _ in points)
        lines.append(Line(curve.label, style, points, path))
    step = max(1, -(-most // 5))
    clicks = sorted({1, *range(step, most + 1, step)})
    tenths = range(round(10 * floor), 11)
    return CurveChart(
        benchmark,
        tuple(lines),
        len(curves) - len(shown),
        tuple((round(x(k), 1), str(k)) for k in clicks),
        tuple((round(y(t / 10), 1), f"{10 * t}") for t in tenths if len(tenths) < 7 or t % 2 == 0),
        tuple((curve.label, tuple(_at(curve, k) for k in TABLE_CLICKS)) for curve in curves),
        any(curve.stopped is not None for curve in curves),
    )


def _at(curve: Curve, clicks: int) -> str:
    mean = curve.means[clicks - 1] if clicks <= len(curve.means) else None
    return optional(None if mean != mean else mean, ".3f")


def share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, in percent of the way, 0…100."""
    if high <= low:
        return 0.0
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)
