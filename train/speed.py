"""Where the time of training goes: images per second of the step, its phases, and the data."""

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

from .broken import BROKEN_LOG, BrokenFiles
from .config import TrainConfig
from .dataset import ClickDataset, Sample
from .datasets import Entry, find_entries
from .distributed import Team
from .loader import batches
from .start import new_model
from .step import Trainer

PHASES = ("corrections", "forward", "backward", "optimiser")
BATCHES_OF_DATA = 2  # per round
WARMUP_STEPS = 2


@dataclass(frozen=True)
class Round:
    """Seconds of one round, in which data and steps take turns.

    Attributes:
        data: seconds per batch that one process needs to load and prepare it.
        step: seconds per optimiser step on batches that are ready.
        phases: seconds per step of each of its phases.
    """

    data: float
    step: float
    phases: dict[str, float]


@dataclass(frozen=True)
class TrainSpeed:
    """Result of `measure_speed`.

    Attributes:
        batch_size: images of a batch.
        rounds: interleaved measurements.
        together: images per second of a run in which loading processes work beside the step.
        data_wait: share of that run's time in which the step waited for data.
        workers: loading processes of that run.
    """

    batch_size: int
    rounds: tuple[Round, ...]
    together: float
    data_wait: float
    workers: int

    @property
    def step_rate(self) -> float:
        """Images per second that the step consumes (median round)."""
        return self.batch_size / statistics.median(each.step for each in self.rounds)

    @property
    def data_rate(self) -> float:
        """Images per second that one process prepares (median round)."""
        return self.batch_size / statistics.median(each.data for each in self.rounds)

    @property
    def ratio(self) -> float:
        """How many times faster one process prepares data than the step consumes it; the median
        of the ratios within each round."""
        return statistics.median(each.step / each.data for each in self.rounds)

    @property
    def phases(self) -> dict[str, float]:
        """Seconds per step of each phase, mean over all rounds."""
        return {name: statistics.mean(each.phases[name] for each in self.rounds) for name in PHASES}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with every round."""
        whole = sum(self.phases.values())
        return {
            "batch_size": self.batch_size,
            "step_images_per_second": round(self.step_rate, 3),
            "data_images_per_second_per_process": round(self.data_rate, 3),
            "data_to_step_ratio": round(self.ratio, 3),
            "seconds_per_step": {name: round(value, 5) for name, value in self.phases.items()},
            "share_of_step": {name: round(value / whole, 4) for name, value in self.phases.items()},
            "together": {
                "workers": self.workers,
                "images_per_second": round(self.together, 3),
                "data_wait": round(self.data_wait, 4),
            },
            "rounds": [asdict(each) for each in self.rounds],
        }


def measure_speed(
    config: TrainConfig,
    *,
    data: Path,
    rounds: int = 6,
    steps: int = 2,
    workers: int = 1,
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
        device: torch device; None takes CUDA where there is one.
        progress: called with the rounds done and their number.

    Raises:
        InputFileError, TrainingError: the data cannot be used.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    team = Team(0, 1, torch.device(device))
    entries = find_entries(config.data.datasets, data)
    trainer = Trainer(new_model(config, None)[0], config, team)
    watch = _Stopwatch(team.device)
    results: list[Round] = []
    # One thread, as in a loading process of a run.
    cv2.setNumThreads(1)
    with _stream(config, entries, workers=0) as stream:
        ready = [next(stream) for _ in range(2)]
        for step in range(WARMUP_STEPS):
            trainer.step(ready[step % 2], step=step, rate=config.optimizer.lr)
        for index in range(rounds):
            start = time.perf_counter()
            ready = [next(stream) for _ in range(BATCHES_OF_DATA)]
            loaded = (time.perf_counter() - start) / BATCHES_OF_DATA
            watch.seconds = dict.fromkeys(PHASES, 0.0)
            start = time.perf_counter()
            for each in range(steps):
                step = index * steps + each
                trainer.step(
                    ready[each % len(ready)], step=step, rate=config.optimizer.lr, watch=watch
                )
            taken = (time.perf_counter() - start) / steps
            phases = {name: seconds / steps for name, seconds in watch.seconds.items()}
            results.append(Round(loaded, taken, phases))
            if progress is not None:
                progress(index + 1, rounds)
    together, waiting = _both_at_once(config, entries, trainer, rounds * steps, workers)
    return TrainSpeed(config.data.batch_size, tuple(results), together, waiting, workers)


def _both_at_once(
    config: TrainConfig, entries: list[Entry], trainer: Trainer, steps: int, workers: int
) -> tuple[float, float]:
    with _stream(config, entries, workers=workers) as stream:
        next(stream)  # the processes have started now
        waiting = 0.0
        start = time.perf_counter()
        for step in range(steps):
            asked = time.perf_counter()
            batch = next(stream)
            waiting += time.perf_counter() - asked
            trainer.step(batch, step=step, rate=config.optimizer.lr)
        seconds = time.perf_counter() - start
    return config.data.batch_size * steps / seconds, waiting / seconds


@contextmanager
def _stream(
    config: TrainConfig, entries: list[Entry], *, workers: int
) -> Iterator[Iterator[Sample]]:
    with TemporaryDirectory() as folder:
        stream = batches(
            ClickDataset(entries, config, start=0),
            batch_size=config.data.batch_size,
            workers=workers,
            broken=BrokenFiles(Path(folder) / BROKEN_LOG, photos=len(entries)),
        )
        with closing(stream):
            yield stream


class _Stopwatch:
    """Adds up the seconds of named phases; a GPU is waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = self._now()
        yield
        self.seconds[name] += self._now() - start

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()
