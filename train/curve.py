"""Loss, IoU and number of clicks over a run, drawn from its log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ritm_edge.errors import InputFileError, UsageError
from ritm_edge.files import atomic_output, existing_file, read_file
from ritm_edge.optional import require
from ritm_edge.untrusted_json import parse_json

from .run_log import LOG, read_steps
from .validation import SELECTING

SUFFIXES = (".png", ".svg", ".pdf")
SMOOTHED_SHARE = 1 / 20
MAX_REPORT = 1 << 26  # bytes


@dataclass
class Curves:
    """Points (step, value) of a run in several phases: loss and IoU of training, and NoC@90 by
    benchmark, sorted by step; at `ends` a phase ended and the next began."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    iou: list[tuple[int, float]] = field(default_factory=list)
    noc: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)


def read_curves(logs: Sequence[Path], reports: Mapping[int, Path] | None = None) -> Curves:
    """Join the logs of the phases of a run, files `log.jsonl` or folders that hold one, in the
    order of training; the steps of each count on from the last of the one before. `reports` maps a
    step, counted over all phases, to the JSON of `bench noc` on its checkpoint. Raises
    InputFileError: a file that is missing, or holds nothing to draw."""
    curves = Curves()
    offset = 0
    for path in logs:
        rows = read_steps(existing_file(path / LOG if path.is_dir() else path))
        if not rows:
            raise InputFileError(f"{path} has no rows: pass the log.jsonl of a training run.")
        for row in rows:
            _add_row(curves, row, offset)
        offset += max(row["step"] for row in rows)
        curves.ends.append(offset)
    curves.ends.pop()
    for step, path in (reports or {}).items():
        for name, value in _report(path).items():
            curves.noc.setdefault(name, []).append((step, value))
    for points in curves.noc.values():
        points.sort()
    if not curves.loss:
        raise InputFileError(f"{logs[0]} has no loss: pass the log.jsonl of a training run.")
    return curves


def _add_row(curves: Curves, row: dict[str, Any], offset: int) -> None:
    step = row["step"] + offset
    for name, points in (("loss", curves.loss), ("iou", curves.iou)):
        if _is_number(row.get(name)):
            points.append((step, float(row[name])))
    validation = row.get("validation")
    if isinstance(validation, dict):
        for name, values in validation.items():
            if isinstance(values, dict) and _is_number(values.get(SELECTING)):
                curves.noc.setdefault(name, []).append((step, float(values[SELECTING])))


def _report(path: Path) -> dict[str, float]:
    """NoC@90 of every benchmark."""
    data = read_file(path, most=MAX_REPORT)
    try:
        found: dict[str, float] = {}
        for report in parse_json(data, most=MAX_REPORT)["reports"]:
            for summary in report["noc"]:
                if abs(summary["iou"] - 0.9) < 1e-6:
                    # Several files on one benchmark: the first, as in bench noc's comparisons.
                    if not _is_number(summary["mean"]):
                        raise ValueError("a mean that is no number")
                    found.setdefault(str(report["benchmark"]), float(summary["mean"]))
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{path} is not a result of bench noc: write one with ritm-edge bench noc -o."
        ) from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def draw_curves(curves: Curves, output: Path) -> None:
    """Draw loss, IoU and, where there is any, NoC@90 above each other into a .png, .svg or .pdf.
    Raises UsageError: another suffix; MissingExtraError: matplotlib is not installed;
    OutputFileError: `output` cannot be written."""
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output} is not a picture: end its name in {', '.join(SUFFIXES)}.")
    require("matplotlib", extra="train")
    from matplotlib.figure import Figure

    rows = 3 if curves.noc else 2
    figure = Figure(figsize=(7.5, 2.3 * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, 1, sharex=True)
    for axis, name, points in ((axes[0], "loss", curves.loss), (axes[1], "IoU", curves.iou)):
        steps = [step for step, _ in points]
        values = [value for _, value in points]
        axis.plot(steps, values, color="0.8", linewidth=0.8)
        axis.plot(steps, _smooth(values), color="tab:blue", linewidth=1.5)
        axis.set_ylabel(f"{name} (training)")
    if curves.noc:
        for name, points in sorted(curves.noc.items()):
            axes[2].plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        axes[2].set_ylabel("NoC20@90 (validation)")
        axes[2].legend()
    for axis in axes:
        axis.grid(alpha=0.3)
        for end in curves.ends:
            axis.axvline(end, color="0.5", linestyle="--", linewidth=0.8)
    axes[-1].set_xlabel("optimiser step")
    with atomic_output(output) as temporary:
        figure.savefig(temporary)


def _smooth(values: Sequence[float]) -> list[float]:
    """Mean over the rows around, a twentieth of all."""
    reach = int(len(values) * SMOOTHED_SHARE / 2)
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]
