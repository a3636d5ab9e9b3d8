"""What changed between two results files, and whether it is more than noise."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import UsageError
from ritm_edge.evaluation.metrics import ious_at, summarize_noc

from .bootstrap import mean_interval, median_ratio_interval
from .noc.table import IOU_CLICKS
from .results import (
    FlopsResults,
    LatencyResults,
    LatencyRow,
    NocResults,
    NocRun,
    ParityResults,
    Results,
)

COLUMNS = ("what", "figure", "old", "new", "change", "95 % interval", "verdict")
COUNTED = ("macs", "flops", "parameters", "file_bytes")

Row = TypeVar("Row")


@dataclass(frozen=True)
class Change:
    """One figure in both files.

    Attributes:
        change: new − old, or new / old where `is_ratio`.
        interval: of the change, 95 %; None for what is counted and has no noise.
        loss: by what share of the old value the new one is worse; negative if it is better.
        verdict: "same", "better" or "worse"; "noise" where the interval holds no change at all.
    """

    what: str
    figure: str
    old: float
    new: float
    change: float
    is_ratio: bool
    interval: tuple[float, float] | None
    loss: float

    @property
    def verdict(self) -> str:
        if self.old == self.new and self.interval is None:
            return "same"
        neutral = 1.0 if self.is_ratio else 0.0
        if self.interval is not None and self.interval[0] <= neutral <= self.interval[1]:
            return "noise"
        return "worse" if self.loss > 0 else "better"

    def as_dict(self) -> dict[str, Any]:
        """All fields and the verdict."""
        return {**asdict(self), "verdict": self.verdict}

    def cells(self) -> tuple[str, ...]:
        """Text for `COLUMNS`."""

        def number(value: float) -> str:
            return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"

        form = ".3f" if self.is_ratio else "+.4g"
        mark = "×" if self.is_ratio else ""
        between = "" if self.interval is None else f"{{:{form}}}…{{:{form}}}".format(*self.interval)
        change = f"{mark}{self.change:{form}}"
        return (
            *(self.what, self.figure, number(self.old), number(self.new)),
            *(change, between or "exact", self.verdict),
        )


@dataclass(frozen=True)
class Comparison:
    """Everything that two files have in common, and, in words, what they do not."""

    changes: list[Change]
    differences: list[str]

    def worse(self, tolerance: float) -> list[Change]:
        """Figures that are worse beyond the noise, by more than this share of the old value."""
        return [c for c in self.changes if c.verdict == "worse" and c.loss > tolerance]


def compare(old: Results, new: Results) -> Comparison:
    """Compare two results of one kind: clicks object by object, times by their samples (as ratios
    to PyTorch where both runs have it, which takes the machine's speed out), and what is counted
    exactly. Raises UsageError: results of two kinds, or without anything in common."""
    notes: list[str] = []
    changes: list[Change] = []
    if isinstance(old, NocResults) and isinstance(new, NocResults):
        for one, other in _paired(old.reports, new.reports, _noc_key, _noc_group, notes):
            changes += _clicks(one, other, notes)
    elif isinstance(old, LatencyResults) and isinstance(new, LatencyResults):
        _same_size(old.size, new.size)
        for row, now in _paired(old.rows, new.rows, _latency_key, _latency_group, notes):
            changes += _times(row, now)
    elif isinstance(old, FlopsResults) and isinstance(new, FlopsResults):
        _same_size(old.size, new.size)
        for model, now_model in _paired(old.models, new.models, _model_key, _model_key, notes):
            changes += _counted(model.model, model, now_model, ("flops", "all_parameters"))
        for graph, now_graph in _paired(
            old.artifacts, new.artifacts, lambda a: f"{a.file} {a.signature or ''}".strip(),
            lambda a: f"{a.runtime} {a.signature}", notes,
        ):  # fmt: skip
            changes += _counted(graph.file, graph, now_graph, COUNTED)
    elif isinstance(old, ParityResults) and isinstance(new, ParityResults):
        changes.append(_exact(old.artifact, "max error", old.max_abs, new.max_abs))
        changes.append(
            _exact(old.artifact, "mask IoU", old.min_mask_iou, new.min_mask_iou, higher_wins=True)
        )
    else:
        raise UsageError(
            "the two files cannot be compared: pass two of bench noc, two of bench latency, two of "
            "bench flops, or two of verify --json."
        )
    if not changes:
        raise UsageError(
            f"the two files have nothing in common ({notes[0] if notes else 'no rows'}): pass "
            "results of the same files or benchmarks."
        )
    return Comparison(changes, notes)


def _paired(
    old: Sequence[Row],
    new: Sequence[Row],
    key: Callable[[Row], str],
    group: Callable[[Row], str],
    notes: list[str],
) -> Iterator[tuple[Row, Row]]:
    """Rows of the same key; where a name changed, the only row of a group with the only one."""
    before, after = {key(row): row for row in old}, {key(row): row for row in new}
    gone = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    alone: list[str] = []
    for name, row in before.items():
        if name in after:
            yield row, after[name]
            continue
        of_group = [
            [each for each in names if group(rows[each]) == group(row)]
            for names, rows in ((gone, before), (added, after))
        ]
        if list(map(len, of_group)) == [1, 1]:
            (other,) = of_group[1]
            notes.append(f"{name} is compared with {other}")
            added.remove(other)
            yield row, after[other]
        else:
            alone.append(name)
    for names, which in ((alone, "old"), (added, "new")):
        if names:
            notes.append(f"only in the {which} file: {', '.join(names)}")


def _noc_key(run: NocRun) -> str:
    return f"{run.file} on {run.benchmark}"


def _noc_group(run: NocRun) -> str:
    return f"{run.benchmark} {run.runtime} {run.engine} {run.precision} {run.size}"


def _latency_key(row: LatencyRow) -> str:
    return f"{row.path.rpartition('/')[2]} in {row.runtime}"


def _latency_group(row: LatencyRow) -> str:
    return f"{row.runtime} {row.engine} {row.baseline}"


def _model_key(model: Any) -> str:
    return f"{model.model} {model.decoder_channels or ''}".strip()


def _same_size(old: Sequence[int], new: Sequence[int]) -> None:
    if list(old) != list(new):
        texts = ("x".join(map(str, size)) for size in (old, new))
        raise UsageError(f"the sizes differ ({', '.join(texts)}): measure at one size.")


def _clicks(old: NocRun, new: NocRun, notes: list[str]) -> Iterator[Change]:
    what = _noc_key(old)
    for name, value in old.settings.model_dump(exclude={"jobs", "threads"}).items():
        now = getattr(new.settings, name)
        now = now if name != "zoom_in" or now is None else now.model_dump()
        if now != value:
            notes.append(f"{what}: {name.replace('_', ' ')} was {value} and is {now}")
    theirs = {each.name: each for each in new.per_object}
    pairs = [(each, theirs[each.name]) for each in old.per_object if each.name in theirs]
    if len(pairs) < max(len(old.per_object), len(new.per_object)):
        notes.append(f"{what}: {len(pairs)} objects are in both files")
    if not pairs:
        return
    ious = [[np.array(each.known) for each in side] for side in zip(*pairs, strict=True)]
    for entry in old.noc:
        if all(other.name != entry.name for other in new.noc):
            continue
        most = entry.max_clicks
        of_sides = (
            summarize_noc([i[:most] for i in side], entry.iou, max_clicks=most) for side in ious
        )
        counts = [np.array(each.per_sample, np.float64) for each in of_sides]
        yield _difference(what, entry.name, *counts, higher_wins=False)
    for clicks in IOU_CLICKS:
        after = [ious_at(side, clicks) for side in ious]
        known = ~np.isnan(after[0]) & ~np.isnan(after[1])
        if known.any() and clicks <= old.settings.max_clicks:
            yield _difference(
                what, f"IoU@{clicks}", after[0][known], after[1][known], higher_wins=True
            )


def _difference(
    what: str,
    figure: str,
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    *,
    higher_wins: bool,
) -> Change:
    """Of means over objects, paired; exact where no object differs."""
    means, steps = (float(old.mean()), float(new.mean())), new - old
    interval = mean_interval(steps) if steps.any() else None
    loss = _loss(*means, higher_wins=higher_wins)
    return Change(what, figure, *means, float(steps.mean()), False, interval, loss)


def _times(old: LatencyRow, new: LatencyRow) -> Iterator[Change]:
    what = _latency_key(old)
    samples, name = (old.samples_ms, new.samples_ms), "median ms"
    if old.ratios and new.ratios and not old.baseline:
        samples, name = (old.ratios, new.ratios), "time to PyTorch's"
    if all(samples):
        before, now = (float(np.median(each)) for each in samples)
        if before and now:
            interval = median_ratio_interval(*samples)
            yield Change(what, name, before, now, now / before, True, interval, now / before - 1)
    yield _exact(what, "bytes of the file", old.file_bytes, new.file_bytes)


def _counted(what: str, old: Any, new: Any, figures: Sequence[str]) -> Iterator[Change]:
    for figure in figures:
        before, now = getattr(old, figure), getattr(new, figure)
        if before is not None and now is not None:  # older files have no sizes
            yield _exact(what, figure.replace("_", " "), before, now)


def _exact(what: str, figure: str, old: float, new: float, *, higher_wins: bool = False) -> Change:
    loss = _loss(old, new, higher_wins=higher_wins)
    return Change(what, figure, old, new, new - old, False, None, loss)


def _loss(old: float, new: float, *, higher_wins: bool) -> float:
    step = old - new if higher_wins else new - old
    return step / abs(old) if old else float(np.sign(step))
