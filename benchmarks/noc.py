"""Number of clicks (NoC) of checkpoints and artifacts on benchmark data sets."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ritm_edge.artifact import tool_versions
from ritm_edge.data import Benchmark
from ritm_edge.evaluation import (
    EvaluationSettings,
    Progress,
    SampleResult,
    evaluate,
    published_zoom_in,
)
from ritm_edge.metrics import NocSummary, summarize_noc
from ritm_edge.runtimes.base import Runtime

THRESHOLDS = (0.80, 0.85, 0.90)


@dataclass(frozen=True)
class NocReport:
    """One runtime on one benchmark.

    Attributes:
        benchmark: its name.
        path: checkpoint or artifact.
        runtime: name of the runtime.
        settings: the protocol.
        results: per sample.
        noc: one summary per threshold.
    """

    benchmark: str
    path: str
    runtime: str
    settings: EvaluationSettings
    results: Sequence[SampleResult]
    noc: Sequence[NocSummary]

    def mean_iou(self, clicks: int) -> float | None:
        """Mean IoU after so many clicks; None unless every sample got that many."""
        if any(len(result.ious) < clicks for result in self.results):
            return None
        return float(np.mean([result.ious[clicks - 1] for result in self.results]))

    @property
    def seconds_per_click(self) -> float:
        total = sum(result.seconds for result in self.results)
        return total / sum(len(result.ious) for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with every sample's IoUs."""
        return {
            "benchmark": self.benchmark,
            "path": self.path,
            "runtime": self.runtime,
            "samples": len(self.results),
            "settings": asdict(self.settings),
            "noc": [
                {
                    "iou": summary.target_iou,
                    "mean": summary.mean,
                    f"at_{summary.max_clicks}_published": summary.at_limit,
                    "never_reached": summary.failed,
                }
                for summary in self.noc
            ],
            "mean_iou": {
                str(clicks): value
                for clicks in range(1, self.settings.max_clicks + 1)
                if (value := self.mean_iou(clicks)) is not None
            },
            "seconds_per_click": self.seconds_per_click,
            "versions": tool_versions("torch", "onnxruntime", "ai-edge-litert", "numpy"),
            "per_sample": [
                {"name": result.name, "ious": [round(float(iou), 6) for iou in result.ious]}
                for result in self.results
            ],
        }


def measure(
    runtime: Runtime,
    benchmark: Benchmark,
    settings: EvaluationSettings,
    *,
    progress: Progress | None = None,
) -> NocReport:
    """Evaluate a runtime with the published protocol.

    Args:
        runtime: any; one of fixed size is evaluated in the published "fixed" zoom-in mode.
        benchmark: samples, and the target size of their zoom-in.
        settings: clicks and stop; `zoom_in` is chosen here to fit runtime and benchmark, unless
            it is None (whole images).
        progress: told of every finished sample.

    Raises: as `evaluate_sample`.
    """
    if settings.zoom_in is not None:
        settings = replace(settings, zoom_in=published_zoom_in(runtime, benchmark.zoom_target))
    results = evaluate(runtime, benchmark, settings, progress=progress)
    ious = [result.ious for result in results]
    return NocReport(
        benchmark=benchmark.name,
        path=runtime.path.name,
        runtime=runtime.name,
        settings=settings,
        results=results,
        noc=[summarize_noc(ious, t, max_clicks=settings.max_clicks) for t in THRESHOLDS],
    )
