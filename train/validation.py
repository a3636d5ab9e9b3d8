"""Number of clicks on benchmarks while training, divided among the processes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.data import Benchmark
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.evaluation.metrics import summarize_noc
from ritm_edge.model.ritm import RitmModel
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.session.zoom_in import ZoomIn

from .distributed import DistributedContext

THRESHOLDS = (0.80, 0.85, 0.90)
SELECTING = "noc@90"


@dataclass(frozen=True)
class Validation:
    """NoC of one state of the network: benchmark → {"noc@80", "noc@85", "noc@90", "failed@90"}, the
    last of which counts samples that never reached IoU 0.90; and the seconds it took."""

    benchmarks: dict[str, dict[str, float]]
    seconds: float

    @property
    def score(self) -> float:
        """Mean NoC@90 over the benchmarks; lower is better. The best checkpoint has the lowest."""
        return float(np.mean([values[SELECTING] for values in self.benchmarks.values()]))


def validate(
    model: RitmModel,
    benchmarks: Sequence[Benchmark],
    team: DistributedContext,
    *,
    max_clicks: int = 20,
    samples: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Evaluate with the published protocol; a sample ends at IoU 0.90 or after `max_clicks`. Of
    each benchmark only so many samples are taken, evenly spaced; 0 takes all. Each process of the
    team evaluates every `team.size`-th, and all get the result. The model gets its mode back.
    Raises: as `evaluate_sample`."""
    start = time.perf_counter()
    was_training = model.training
    runtime = PytorchRuntime(model.eval(), Path("training"))
    chosen = [_spaced(benchmark, samples) for benchmark in benchmarks]
    total = sum(len(each[team.rank :: team.size]) for each in chosen)
    done = 0
    results: dict[str, dict[str, float]] = {}
    for benchmark, indices in zip(benchmarks, chosen, strict=True):
        settings = EvaluationSettings(
            max_clicks=max_clicks, target_iou=THRESHOLDS[-1], zoom_in=ZoomIn(benchmark.zoom_target)
        )
        own: dict[int, list[float]] = {}
        for index in indices[team.rank :: team.size]:
            result = evaluate_sample(runtime, benchmark.samples[index], settings)
            own[index] = result.ious.tolist()
            done += 1
            if progress is not None:
                progress(done, total)
        every = {index: ious for part in team.gather(own) for index, ious in part.items()}
        ious = [every[index] for index in indices]
        noc = [summarize_noc(ious, t, max_clicks=max_clicks) for t in THRESHOLDS]
        results[benchmark.name] = {f"noc@{round(100 * n.target_iou)}": n.mean for n in noc}
        results[benchmark.name][f"failed@{round(100 * THRESHOLDS[-1])}"] = float(noc[-1].failed)
    model.train(was_training)
    return Validation(results, time.perf_counter() - start)


def _spaced(benchmark: Benchmark, samples: int) -> list[int]:
    count = len(benchmark)
    if not samples or samples >= count:
        return list(range(count))
    return [index * count // samples for index in range(samples)]
