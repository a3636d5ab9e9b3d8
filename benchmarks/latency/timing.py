"""How fast artifacts are, next to each other and to PyTorch eager, on one machine."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.artifacts.info import Precision
from ritm_edge.devices import HERE
from ritm_edge.devices.device import Device
from ritm_edge.devices.remote import RemoteRuntime, device_figures
from ritm_edge.errors import UsageError
from ritm_edge.files import existing_file, size_in_bytes
from ritm_edge.io_spec import DEFAULT_SIZE, IOSpec
from ritm_edge.runtimes.base import ModelFile, precision_of
from ritm_edge.runtimes.coreml import REFERENCE_EVALUATOR
from ritm_edge.weights import checkpoint_path

from ..machine import describe_machine, describe_versions
from .ratios import median_ratio, paired_ratios
from .roofline import Roofline, measure_roofline, percent_of_roofline

# Worker threads spin for a while after a run and would slow the next candidate.
PAUSE_S = 0.05

_DEVICE_FIGURES = ("place", "device", "threads", "fallback", "wire_ms")

Report = Callable[[str], None]


@dataclass(frozen=True)
class LatencySettings:
    """How to measure.

    Attributes:
        runs: timed runs of each candidate, at least 1.
        warmup: runs of each candidate before that, not timed.
        cold_starts: fresh processes of each candidate that are timed to their first result.
        threads: CPU threads of every runtime; None lets each choose.
        size: (H, W) in pixels where the artifacts leave it open; None is 400x400.
        allow_changed: also time artifacts that changed after export.
    """

    runs: int = 20
    warmup: int = 3
    cold_starts: int = 3
    threads: int | None = None
    size: tuple[int, int] | None = None
    seed: int = 0
    allow_changed: bool = False

    def __post_init__(self) -> None:
        for name, least in (("runs", 1), ("warmup", 0), ("cold_starts", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}: pass {least} or more.")
        if self.size is not None:
            IOSpec(*self.size)  # refuses sizes no graph accepts


@dataclass(frozen=True)
class LatencyRow:
    """Measurements of one candidate; times in milliseconds, memory in bytes.

    Attributes:
        runtime: "pytorch", "onnx", "tflite", "coreml".
        engine: what executes it, where a runtime has more than one; None otherwise.
        baseline: whether the ratios of the others are taken to this one.
        samples_ms: one time per round, in order.
        ratios: this candidate's time by the baseline's, round by round; None without baseline.
        cold_starts_ms: from opening the file (import of its library included) to the first
            result, each in a fresh process.
        peak_memory_bytes: high-water mark of the process that opened the file and ran it; None
            where a device cannot tell.
        idle_memory_bytes: of the same process before it opened the file.
        file_bytes: size on disk; a folder counts with all in it.
        sha256: of the file, by which results of `bench noc` are found.
        parity: what the artifact says of its verification against PyTorch; None if nothing.
        rewrites: exact rewrites its graph went through; none for a baseline graph, None where there
            is no artifact.
        ratio_to_baseline: median of the ratios, round by round, to the baseline graph of the same
            runtime and precision; None where that is not among the candidates.
        ratio_to_fp32: as that, to the float32 artifact of the same runtime.
        flops: operations of one run; None unless asked for.
        percent_of_roofline: of the machine's measured peak, at the median time; None unless asked
            for.
        place: where it ran, as `--on` names it; times are by the clock there, and ratios are taken
            only between files of one place.
        device: what a device says of itself; None here.
        threads: that the engine used; None where it chose and does not say.
        fallback: why a device ran it more slowly than it could; None where it did not.
        wire_ms: median of what a run took from here beyond its time there; None here.
    """

    path: str
    runtime: str
    engine: str | None
    baseline: bool
    samples_ms: tuple[float, ...]
    ratios: tuple[float, ...] | None
    cold_starts_ms: tuple[float, ...]
    peak_memory_bytes: int | None
    idle_memory_bytes: int | None
    file_bytes: int
    sha256: str = ""
    parity: dict[str, Any] | None = None
    precision: str = Precision.FP32
    rewrites: tuple[str, ...] | None = None
    ratio_to_baseline: float | None = None
    ratio_to_fp32: float | None = None
    flops: int | None = None
    percent_of_roofline: float | None = None
    place: str = HERE
    device: str | None = None
    threads: int | None = None
    fallback: str | None = None
    wire_ms: float | None = None

    @property
    def median_ms(self) -> float:
        return float(np.median(self.samples_ms))

    @property
    def p90_ms(self) -> float:
        return float(np.percentile(self.samples_ms, 90))

    @property
    def ratio(self) -> float | None:
        """Median of the ratios of each round: below 1 is faster than PyTorch."""
        return None if self.ratios is None else float(np.median(self.ratios))

    @property
    def cold_start_ms(self) -> float:
        return float(np.median(self.cold_starts_ms))

    @property
    def is_device_time(self) -> bool:
        """False for the reference evaluator, whose time says nothing about any device."""
        return self.engine != REFERENCE_EVALUATOR

    def as_dict(self) -> dict[str, Any]:
        """All fields and everything derived from them."""
        return {
            **asdict(self),
            "median_ms": self.median_ms,
            "p90_ms": self.p90_ms,
            "ratio_to_pytorch": self.ratio,
            "cold_start_ms": self.cold_start_ms,
            "is_device_time": self.is_device_time,
        }


@dataclass(frozen=True)
class LatencyReport:
    """Everything needed to read the numbers later: machine, versions, settings, samples."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: LatencySettings
    size: tuple[int, int]
    roofline: Roofline | None
    rows: tuple[LatencyRow, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [row.as_dict() for row in self.rows]}


def measure(
    artifacts: Sequence[Path],
    *,
    settings: LatencySettings,
    devices: Sequence[Device | None] = (None,),
    pytorch: bool = True,
    baseline: Path | None = None,
    roofline: bool = False,
    report: Report = lambda _: None,
) -> LatencyReport:
    """Time candidates in rounds (A B C A B C …), each in a process of its own.

    Interleaving lets a slow minute of the machine hit all of them; ratios are taken within each
    round. All get the same inputs, new ones in every round.

    Args:
        artifacts: artifacts or checkpoints.
        devices: where, each file on each; None is a process of this machine.
        pytorch: also time PyTorch, to which the ratios are taken.
        baseline: checkpoint that PyTorch runs, or the name of embedded weights; None takes those of
            the first artifact's model.
        roofline: also measure the machine's peak, before the rounds, and state each file's share.
        report: called with a text before each of `step_count` steps.

    Raises:
        UsageError: nothing to time, sizes that do not fit each other, or a model without embedded
            weights.
        InputFileError: a file that is missing, broken or of another kind.
        MissingExtraError: a runtime that is not installed.
    """
    if not artifacts and not pytorch:
        raise UsageError("there is nothing to time: pass at least one artifact.")
    for path in (*artifacts, *([checkpoint_path(baseline)] if baseline is not None else [])):
        existing_file(path)
    machine = describe_machine()
    limits = measure_roofline(settings.threads) if roofline else None
    with ExitStack() as stack:

        def opened(path: Path, device: Device | None = None) -> _Candidate:
            file = ModelFile(path, settings.threads, settings.allow_changed)
            worker = stack.enter_context(RemoteRuntime(file, device))
            candidate = _Candidate(worker, file, settings.seed, device)
            report(f"open {path.name}")
            candidate.open()
            return candidate

        candidates = [opened(path, device) for device in devices for path in artifacts]
        if pytorch:
            infos = (each.worker.info for each in candidates)
            model = next((str(info.model["name"]) for info in infos if info is not None), None)
            candidates.insert(0, opened(checkpoint_path(baseline, model=model)))
        size = common_size([(c.file.path, c.worker.spec) for c in candidates], settings.size)
        _run_rounds(candidates, size, settings, report)
        rows = _rows(candidates, has_baseline=pytorch)
    if limits is not None:
        rows = tuple(
            _with_roofline(row, each.file.path, size, limits, settings.allow_changed)
            if each.device is None
            else row
            for row, each in zip(rows, candidates, strict=True)
        )
    return LatencyReport(machine, describe_versions(), settings, size, limits, rows)


def _with_roofline(
    row: LatencyRow, path: Path, size: tuple[int, int], limits: Roofline, allow_changed: bool
) -> LatencyRow:
    from ..flops.report import measure_artifact

    flops = measure_artifact(path, size, allow_changed=allow_changed)[0]["flops"]
    share = percent_of_roofline(flops, row.median_ms, limits)
    return replace(row, flops=flops, percent_of_roofline=share)


def step_count(candidates: int, settings: LatencySettings) -> int:
    """How often `measure` calls `report`."""
    return candidates * (1 + settings.cold_starts + settings.warmup + settings.runs)


def common_size(
    specs: Sequence[tuple[Path, IOSpec]], wanted: tuple[int, int] | None
) -> tuple[int, int]:
    """The one (H, W) that all candidates accept. Raises UsageError: two artifacts of different
    size, or one that is not of the wanted size."""
    fixed = {path: spec.size for path, spec in specs if spec.size is not None}
    listing = ", ".join(f"{path} takes {size[0]}x{size[1]}" for path, size in fixed.items())
    if len(set(fixed.values())) > 1:
        raise UsageError(f"the sizes differ ({listing}): time artifacts of one size together.")
    size = next(iter(fixed.values()), None)
    if size is not None and wanted is not None and size != wanted:
        raise UsageError(
            f"the size {wanted[0]}x{wanted[1]} does not fit ({listing}): leave --size out."
        )
    return size or wanted or DEFAULT_SIZE


class _Candidate:
    """A worker and what has been measured of it."""

    def __init__(
        self, worker: RemoteRuntime, file: ModelFile, seed: int, device: Device | None
    ) -> None:
        self.worker, self.file, self.seed, self.device = worker, file, seed, device
        self.samples: list[float] = []
        self.cold_starts: list[float] = []
        self.idle_memory: int | None = None
        self._open_ms = 0.0

    def open(self) -> None:
        if self.device is None:
            self.idle_memory = self.worker.memory()
        self._open_ms = self.worker.open()

    def cold_start(self, size: tuple[int, int]) -> None:
        """The first is that of the worker itself; the wait for the other candidates between opening
        and first run is not counted."""
        if not self.cold_starts:
            self.cold_starts.append(self._open_ms + self.run(size, 0))
            return
        with RemoteRuntime(self.file, self.device) as fresh:
            self.cold_starts.append(fresh.open() + fresh.time(size, seed=self.seed, index=0))

    def run(self, size: tuple[int, int], index: int) -> float:
        return self.worker.time(size, seed=self.seed, index=index)

    def says(self, name: str) -> Any:
        """An entry of the artifact's description; None for a checkpoint, which has none."""
        return getattr(self.worker.info, name, None)

    @property
    def precision(self) -> str:
        return precision_of(self.worker)


def _run_rounds(
    candidates: Sequence[_Candidate],
    size: tuple[int, int],
    settings: LatencySettings,
    report: Report,
) -> None:
    def interleaved(text: str, rounds: int) -> Iterator[tuple[int, _Candidate]]:
        for number in range(rounds):
            for candidate in candidates:
                report(f"{text} {number + 1}/{rounds} {candidate.file.path.name}")
                yield number, candidate
                time.sleep(PAUSE_S)

    for _, candidate in interleaved("cold start", settings.cold_starts):
        candidate.cold_start(size)
    first = 1  # round 0 was the cold start
    for number, candidate in interleaved("warm-up", settings.warmup):
        candidate.run(size, first + number)
    first += settings.warmup
    for number, candidate in interleaved("round", settings.runs):
        candidate.samples.append(candidate.run(size, first + number))


def _rows(candidates: Sequence[_Candidate], *, has_baseline: bool) -> tuple[LatencyRow, ...]:
    reference = candidates[0].samples if has_baseline else None

    def row(each: _Candidate) -> LatencyRow:
        figures = device_figures(each.worker) or {}
        paired = reference if each.device is None else None
        return LatencyRow(
            path=_shown(each.file.path),
            runtime=each.worker.name,
            engine=each.worker.engine,
            baseline=has_baseline and each is candidates[0],
            samples_ms=tuple(each.samples),
            ratios=None if paired is None else paired_ratios(each.samples, paired),
            cold_starts_ms=tuple(each.cold_starts),
            peak_memory_bytes=each.worker.memory(),
            idle_memory_bytes=each.idle_memory,
            sha256=each.worker.sha256,
            parity=each.says("parity"),
            file_bytes=size_in_bytes(each.file.path),
            precision=each.precision,
            rewrites=each.says("rewrites"),
            ratio_to_baseline=_ratio_to_baseline(each, candidates),
            ratio_to_fp32=_ratio_to_fp32(each, candidates),
            **{k: figures[k] for k in _DEVICE_FIGURES if k in figures},
        )

    return tuple(map(row, candidates))


def _ratio_to_baseline(candidate: _Candidate, candidates: Sequence[_Candidate]) -> float | None:
    if not candidate.says("rewrites"):
        return None
    for other in candidates:
        same = _is_variant(other, candidate) and other.precision == candidate.precision
        if same and other.says("rewrites") == ():
            return median_ratio(candidate.samples, other.samples)
    return None


def _ratio_to_fp32(candidate: _Candidate, candidates: Sequence[_Candidate]) -> float | None:
    fp32 = [c for c in candidates if c.precision == Precision.FP32 and _is_variant(c, candidate)]
    if candidate.precision == Precision.FP32 or not fp32:
        return None
    # The baseline graph of float32 only where the default one is missing.
    default = max(fp32, key=lambda other: bool(other.says("rewrites")))
    return median_ratio(candidate.samples, default.samples)


def _is_variant(one: _Candidate, other: _Candidate) -> bool:
    """Whether two files hold the same weights for the same runtime in the same place."""
    key = "checkpoint_sha256"
    same = (one.worker.name, one.says(key)) == (other.worker.name, other.says(key))
    return same and one.device is other.device


def _shown(path: Path) -> str:
    """Relative to here where it is below; the name alone of a file elsewhere."""
    relative = os.path.relpath(path)
    return path.name if relative.startswith(os.pardir) else relative
