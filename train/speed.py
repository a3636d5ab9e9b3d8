"""How training spends its time: images per second of the step, its phases, and the data."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import torch

from ritm_edge.errors import UsageError

from .broken import BROKEN_LOG, BrokenFiles
from .config import TrainConfig
from .dataset import ClickDataset, Sample
from .datasets import find_entries
from .depthwise import has_depthwise, use_fast_depthwise, use_plain_depthwise
from .device_batches import make_dataset
from .distributed import DistributedContext
from .idle_settings import refuse_fp16
from .loader import batches
from .photo_cache import PhotoCache
from .start import new_model
from .step import Trainer
from .stopwatch import Stopwatch

PHASES = ("batch", "corrections", "forward", "backward", "optimiser")
BATCHES_OF_DATA = 2  # per round
WARMUP_STEPS = 2


@dataclass(frozen=True)
class Round:
    """Seconds of one round, in which data and steps take turns.

    Attributes:
        data: seconds per batch that one process needs to load and prepare it.
        step: seconds per optimiser step on batches that are ready.
        phases: seconds per step of each of its phases.
        network: seconds that the network alone would take for a step: forward, backward and the
            recipe's mean number of forwards for corrections.
        plain: seconds per step with PyTorch's own gradients of depthwise convolutions; 0 where
            they were not measured.
    """

    data: float
    step: float
    phases: dict[str, float]
    network: float
    plain: float = 0.0


@dataclass(frozen=True)
class TrainSpeed:
    """Result of `measure_speed`: interleaved rounds; images per second of a run (`together`) in
    which `workers` loading processes work beside the step, and the share of its time in which the
    step waited for data."""

    batch_size: int
    rounds: tuple[Round, ...]
    together: float
    data_wait: float
    workers: int

    def median(self, of: Callable[[Round], float]) -> float:
        """Of a value of each round."""
        return statistics.median(map(of, self.rounds))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with every round. Images per second are those of the median round: that the
        step consumes, that one process prepares, and that the network alone would take; ratios are
        medians of those within each round; phases are means over all rounds."""
        size, network = self.batch_size, self.batch_size / self.median(lambda r: r.network)
        phases = {name: statistics.mean(r.phases[name] for r in self.rounds) for name in PHASES}
        whole = sum(phases.values())
        return {
            "batch_size": size,
            "step_images_per_second": round(size / self.median(lambda r: r.step), 3),
            "data_images_per_second_per_process": round(size / self.median(lambda r: r.data), 3),
            "data_to_step_ratio": round(self.median(lambda r: r.step / r.data), 3),
            "seconds_per_step": {name: round(value, 5) for name, value in phases.items()},
            "share_of_step": {name: round(value / whole, 4) for name, value in phases.items()},
            "together": {
                "workers": self.workers,
                "images_per_second": round(self.together, 3),
                "data_wait": round(self.data_wait, 4),
            },
            "network_images_per_second": round(network, 3),
            "together_to_network_ratio": round(self.together / network, 4),
            "plain_depthwise_step_ratio": round(self.median(lambda r: r.plain / r.step), 3),
            "rounds": [asdict(each) for each in self.rounds],
        }


def measure_speed(
    config: TrainConfig,
    *,
    data: Path,
    rounds: int = 6,
    steps: int = 2,
    workers: int = 1,
    plain_depthwise: bool = False,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainSpeed:
    """Time the training of a recipe without keeping anything of it.

    The first part is free of competition: in every round one process prepares batches, then the
    network trains on batches that are ready, so that both see the same machine. The second part
    runs both at once, as training does.

    Args:
        config: what to train.
        data: folder with the recipe's data.
        rounds: of the first part; as many steps per round are made in the second.
        steps: per round; their simulated corrections are those of the first steps of a run.
        workers: loading processes of the second part.
        plain_depthwise: in every round, time the same steps without `depthwise` as well.
        device: torch device; None takes CUDA where there is one.
        progress: called with the rounds done and their number.

    Raises:
        InputFileError, TrainingError: the data cannot be used.
        UsageError: `plain_depthwise` on a GPU, or for a model without depthwise convolutions.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if plain_depthwise and device != "cpu":
        raise UsageError("--plain-depthwise compares gradients on CPUs: leave it out on a GPU.")
    refuse_fp16(config, torch.device(device).type)
    model = new_model(config, None)[0]
    if plain_depthwise and not has_depthwise(model):
        raise UsageError(
            f"--plain-depthwise does nothing for {config.model.name}, which has no depthwise "
            "convolution: leave it out."
        )
    team = DistributedContext(0, 1, torch.device(device))
    entries = find_entries(config.data.datasets, data)
    trainer = Trainer(model, config, team)
    watch = Stopwatch(team.device)
    results: list[Round] = []
    maker = team.device if trainer.makes_batches else None
    cache = PhotoCache(entries, config, maker, workers)
    trainer.maker.photos = cache.photos
    samples = make_dataset(entries, config, team.device, cache, start=0)
    # One thread, as in a loading process of a run.
    cv2.setNumThreads(1)
    with _stream(samples, workers=0) as stream:
        ready = [next(stream) for _ in range(2)]
        for step in range(WARMUP_STEPS):
            trainer.step(ready[step % 2], step=step, rate=config.optimizer.lr)
        watch.read()  # waits for a GPU
        for index in range(rounds):
            start = time.perf_counter()
            ready = [next(stream) for _ in range(BATCHES_OF_DATA)]
            loaded = (time.perf_counter() - start) / BATCHES_OF_DATA
            own_steps = range(index * steps, (index + 1) * steps)
            taken, seconds = _take(own_steps, ready, trainer, watch)
            plain = 0.0
            if plain_depthwise:
                use_plain_depthwise(trainer.model)
                plain, _ = _take(own_steps, ready, trainer, watch)
                use_fast_depthwise(trainer.model)
            phases = {name: sum(seconds[name]) / steps for name in PHASES}
            network = phases["forward"] + phases["backward"]
            # A round without a correction knows its time from the forward with gradients.
            each_correction = statistics.mean(seconds.get("network", seconds["forward"]))
            network += config.iterative.max_iterations / 2 * each_correction
            results.append(Round(loaded, taken, phases, network, plain))
            if progress is not None:
                progress(index + 1, rounds)
    with _stream(samples, workers=workers) as stream:
        together, waiting = _both_at_once(config, stream, trainer, rounds * steps)
    return TrainSpeed(config.data.batch_size, tuple(results), together, waiting, workers)


def _take(
    steps: range, ready: list[Sample], trainer: Trainer, watch: Stopwatch
) -> tuple[float, dict[str, list[float]]]:
    """Seconds per step, and of each phase each time that it ran."""
    start = time.perf_counter()
    for step in steps:
        rate = trainer.config.optimizer.lr
        trainer.step(ready[step % len(ready)], step=step, rate=rate, watch=watch)
    seconds = watch.read()
    return (time.perf_counter() - start) / len(steps), seconds


def _both_at_once(
    config: TrainConfig, stream: Iterator[Sample], trainer: Trainer, steps: int
) -> tuple[float, float]:
    next(stream)  # the processes have started now
    waiting = 0.0
    start = time.perf_counter()
    for step in range(steps):
        asked = time.perf_counter()
        batch = next(stream)
        waiting += time.perf_counter() - asked
        result = trainer.step(batch, step=step, rate=config.optimizer.lr)
    float(result.values[0])  # waits for a GPU
    seconds = time.perf_counter() - start
    return config.data.batch_size * steps / seconds, waiting / seconds


@contextmanager
def _stream(samples: ClickDataset, *, workers: int) -> Iterator[Iterator[Sample]]:
    with TemporaryDirectory() as folder:
        broken = BrokenFiles(Path(folder) / BROKEN_LOG, photos=len(samples.entries))
        size = samples.config.data.batch_size
        stream = batches(samples, batch_size=size, workers=workers, broken=broken)
        with closing(stream):
            yield stream
