"""Number of clicks (NoC) of checkpoints and artifacts on benchmark data sets."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from ritm_edge.artifacts.info import tool_versions
from ritm_edge.data import Benchmark
from ritm_edge.devices.remote import device_figures
from ritm_edge.errors import UsageError
from ritm_edge.evaluation.loop import EvaluationSettings, SampleResult
from ritm_edge.runtimes.base import Runtime
from ritm_edge.session.zoom_in import Size

from ..machine import PACKAGES
from .journal import Journal
from .pool import evaluate_all
from .report import NocReport, describe_subject

# Packages that decide the results of a runtime, so that a run is not resumed with another version;
# of a runtime that is not listed every package counts.
_DECIDING: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("torch",),
    "onnx": ("onnxruntime",),
    "tflite": ("ai-edge-litert",),
    "coreml": ("coremltools", "torch"),
}
# Told before the first object and after each: the report so far, and how many objects there are.
Progress = Callable[[NocReport, int], None]


def measure(
    runtime: Runtime,
    benchmark: Benchmark,
    settings: EvaluationSettings,
    *,
    label: str | None = None,
    target_size: int | Size | None = None,
    limit: int | None = None,
    jobs: int = 1,
    threads: int | None = None,
    journal: Journal | None = None,
    progress: Progress = lambda _report, _total: None,
) -> NocReport:
    """Evaluate a runtime with the published protocol.

    Args:
        benchmark: samples, and the target size of their zoom-in.
        settings: the protocol; the target size of its zoom-in is set here.
        label: what the report calls the file; None takes its name.
        target_size: of the zoom-in, see `ZoomIn`; None takes the benchmark's.
        limit: how many objects, counted from the first; None takes all.
        jobs: processes; the results are the same for any number.
        threads: that `runtime` was opened with, and that each process gets.
        journal: to which finished objects are written, and from which earlier ones are read.

    Raises:
        UsageError: more clicks than the graph has slots, or a journal of another run.
        RitmEdgeError: as `evaluate_sample`; a process was killed.
    """
    check_slots(runtime, settings)
    if settings.zoom_in is not None:
        zoom_in = replace(settings.zoom_in, target_size=target_size or benchmark.zoom_target)
        settings = replace(settings, zoom_in=zoom_in)
    subject = describe_subject(runtime, label)
    samples = benchmark.samples[:limit]
    run, done = "", dict[str, SampleResult]()
    versions = tool_versions("numpy", *_DECIDING.get(runtime.name, PACKAGES))
    where, device = "", device_figures(runtime)
    if device is not None:
        # What computes there decides the results, and not what is installed here.
        where = f" on {device['place']}"
        versions = tool_versions("numpy") | {"engine": str(runtime.engine)}
    if journal is not None:
        run, done = journal.start(
            {
                "benchmark": benchmark.name,
                "file": f"{runtime.label} {settings.fit}{where}",
                "sha256": subject["sha256"],
                "settings": {**_decisive(settings), "threads": threads},
                "versions": versions,
                "objects": _fingerprint(benchmark),
            }
        )

    def report() -> NocReport:
        results = [done[sample.name] for sample in samples if sample.name in done]
        return NocReport(benchmark.name, len(benchmark), subject, settings, threads, jobs, results)

    progress(report(), len(samples))
    missing = [sample for sample in samples if sample.name not in done]
    for result in evaluate_all(runtime, missing, settings, jobs=jobs, threads=threads):
        if journal is not None:
            journal.append(run, result)
        done[result.name] = result
        progress(report(), len(samples))
    return replace(report(), device=device_figures(runtime))


def check_slots(runtime: Runtime, settings: EvaluationSettings) -> None:
    """Refuse at the start what would fail hours later: more clicks than the graph has slots. Raises
    UsageError: names the two ways out."""
    slots = runtime.spec.max_clicks
    most = min(settings.max_clicks, settings.click_limit or settings.max_clicks)
    if slots is not None and most > slots:
        raise UsageError(
            f"{runtime.label} has {slots} slots for clicks of each sign and --max-clicks is "
            f"{settings.max_clicks}: export it with --max-clicks {settings.max_clicks}, or pass "
            f"--click-limit {slots} so that the network sees the first {slots} clicks only."
        )


def _decisive(settings: EvaluationSettings) -> dict[str, Any]:
    """As a dictionary; journals from before there was another protocol do not name it."""
    values = asdict(settings)
    if settings.protocol == "published":
        del values["protocol"]
    return values


def _fingerprint(benchmark: Benchmark) -> dict[str, Any]:
    names = "\n".join(sample.name for sample in benchmark)
    return {"count": len(benchmark), "names": hashlib.sha256(names.encode()).hexdigest()[:16]}
