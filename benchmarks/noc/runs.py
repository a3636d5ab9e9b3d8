"""Number of clicks (NoC) of checkpoints and artifacts on benchmark data sets."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ritm_edge.artifacts.info import tool_versions
from ritm_edge.data import Benchmark
from ritm_edge.devices.remote import device_figures
from ritm_edge.errors import UsageError
from ritm_edge.evaluation.loop import EvaluationSettings, SampleResult
from ritm_edge.evaluation.metrics import summarize_noc
from ritm_edge.runtimes.base import Runtime
from ritm_edge.session.zoom_in import Size

from ..machine import PACKAGES
from .journal import Journal
from .pool import evaluate_all
from .report import NocReport, Shard, describe_subject, noc_name, targets

# Packages that decide the results of a runtime, so that a run is not resumed with another version;
# of a runtime that is not listed every package counts.
_DECIDING: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("torch",),
    "onnx": ("onnxruntime",),
    "tflite": ("ai-edge-litert",),
    "coreml": ("coremltools", "torch"),
    "executorch": ("executorch",),
    "grabcut": ("opencv-python-headless",),
    "graph-cut": ("PyMaxflow",),
    "random-walker": ("scikit-image",),
}


@dataclass(frozen=True)
class SoFar:
    """What `measure` tells before the first object and after each: how many objects are done, of
    how many, and the mean number of clicks to the strictest IoU, NaN before the first."""

    done: int
    total: int
    noc: str
    mean_clicks: float


Progress = Callable[[SoFar], None]


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
    shard: Shard | None = None,
    progress: Progress = lambda _: None,
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
        shard: (I, N) evaluates every N-th of these objects, from the I-th on, counted from 1.
        journal: to which finished objects are written, and from which earlier ones are read.

    Raises:
        UsageError: more clicks than the graph has slots, a shard without an object, or a journal of
            another run.
        RitmEdgeError: as `evaluate_sample`; a process was killed.
    """
    check_slots(runtime, settings)
    if settings.zoom_in is not None:
        zoom_in = replace(settings.zoom_in, target_size=target_size or benchmark.zoom_target)
        settings = replace(settings, zoom_in=zoom_in)
    subject = describe_subject(runtime, label)
    samples = benchmark.samples[:limit]
    if shard is not None:
        index, count = shard
        if index > len(samples):
            raise UsageError(
                f"shard {index}/{count} of {len(samples)} objects is empty: use fewer shards."
            )
        samples = samples[index - 1 :: count]
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
                "file": f"{_what(runtime, settings)}{where}",
                "sha256": subject["sha256"],
                "settings": {**_decisive(settings), "threads": threads},
                "versions": versions,
                "objects": _fingerprint(benchmark),
            }
        )

    target, most = targets(settings)[-1]
    name, counted = noc_name(target, most), Counter[str]()

    def tell(*results: SampleResult) -> None:
        for each in results:
            (clicks,) = summarize_noc([each.ious[:most]], target, max_clicks=most).per_sample
            counted.update(objects=1, clicks=clicks)
        mean = counted["clicks"] / counted["objects"] if counted["objects"] else math.nan
        progress(SoFar(counted["objects"], len(samples), name, mean))

    tell(*(done[sample.name] for sample in samples if sample.name in done))
    missing = [sample for sample in samples if sample.name not in done]
    for result in evaluate_all(runtime, missing, settings, jobs=jobs, threads=threads):
        if journal is not None:
            journal.append(run, result)
        done[result.name] = result
        tell(result)
    results = [done[sample.name] for sample in samples]
    return NocReport(
        benchmark.name,
        len(benchmark),
        subject,
        settings,
        threads,
        jobs,
        results,
        shard,
        device_figures(runtime),
    )


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


def _what(runtime: Runtime, settings: EvaluationSettings) -> str:
    """What one journal may hold several times only under different names."""
    parts = [runtime.label, settings.fit]
    if settings.method is not None:
        parts.append(settings.method)
    if settings.user is not None:
        parts.append(f"{settings.user} {settings.user_seed}")
    return " ".join(parts)


def _decisive(settings: EvaluationSettings) -> dict[str, Any]:
    """As a dictionary; journals from before there was a choice do not name what is the default."""
    values = asdict(settings)
    usual = {"protocol": "published", "method": None, "user": None, "user_seed": 0}
    for name, value in usual.items():
        if values[name] == value:
            del values[name]
    return values


def _fingerprint(benchmark: Benchmark) -> dict[str, Any]:
    names = "\n".join(sample.name for sample in benchmark)
    return {"count": len(benchmark), "names": hashlib.sha256(names.encode()).hexdigest()[:16]}
