"""What the steps of a run share: the trainer, the log, the checkpoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ritm_edge.data import Benchmark
from ritm_edge.errors import TrainingError
from ritm_edge.model.checkpoint import save_checkpoint, save_safetensors

from .board import FOLDER, Board
from .config import TrainConfig
from .dataset import Sample
from .panels import panel
from .run_log import LOG, STEPS_PER_ROW, RunLog
from .schedule import RunLength, learning_rate_at
from .state import (
    BEST_CHECKPOINT,
    LAST_CHECKPOINT,
    WEIGHTS,
    Best,
    save_diverged_batch,
    save_run,
)
from .step import StepResult, Trainer
from .stopwatch import NETWORK, Stopwatch
from .validation import Validation, validate


class ValidationProgress(Protocol):
    """Receives the state of a validation after every sample of the leading process, and once more
    with its result."""

    def __call__(
        self, *, step: int, done: int, total: int, result: Validation | None, best: bool
    ) -> None: ...


Times = tuple[float, float]  # seconds of one step, and those of them in which it waited for data


class Shown(NamedTuple):
    """What the steps since the last reading showed: loss and IoU of the last, samples per second of
    all, and the share of their time in which the device computed the network, forward and backward,
    and not data, clicks or the optimiser."""

    loss: float
    iou: float
    samples_per_second: float
    network_share: float


@dataclass
class Run:
    """One run in its output folder; only the leading process writes there.

    Attributes:
        trainer: at the state after `done` steps.
        data: fingerprint of the photos.
        best: best validation so far.
        tensorboard: whether to write event files.
        remake: makes the batch after a number of steps again.

    Raises:
        OutputFileError: `output` cannot be written; also from the methods.
        MissingExtraError: TensorBoard is wanted and not installed.
    """

    config: TrainConfig
    length: RunLength
    trainer: Trainer
    output: Path
    data: Tensor
    done: int
    best: Best | None
    benchmarks: Sequence[Benchmark]
    tensorboard: bool
    remake: Callable[[int], Sample]

    def __post_init__(self) -> None:
        self.team = self.trainer.team
        self._watch = Stopwatch(self.team.device)
        self._unread: list[tuple[int, Tensor, float, Times]] = []
        self._board: Board | None = None
        self._log: RunLog | None = None
        if self.team.leads:
            self._log = RunLog(self.output / LOG, done=self.done)
            if self.tensorboard:
                self._board = Board(self.output / FOLDER, done=self.done)
                self._log.board = self._board

    def step(self, batch: Sample, step: int) -> StepResult:
        """Take the step after `step` steps. Raises TrainingError: no memory left."""
        config = self.config
        rate = learning_rate_at(step, config, self.length)
        try:
            return self.trainer.step(batch, step=step, rate=rate, watch=self._watch)
        except RuntimeError as error:
            # CUDA has a type of its own for it, the CPU allocator only this text.
            out_of_memory = isinstance(error, torch.OutOfMemoryError)
            if not out_of_memory and "can't allocate memory" not in str(error):
                raise
            crop = "x".join(map(str, config.augmentation.crop))
            raise TrainingError(
                f"no memory left for batches of {config.data.batch_size} crops of {crop}: "
                "lower --batch-size or --crop."
            ) from error

    def reads(self, step: int) -> bool:
        """Whether values are read after `step` steps: each time, or on the device path, where
        reading makes it wait, for every row of the log."""
        return not self.trainer.makes_batches or step % STEPS_PER_ROW == 0

    def record(
        self, result: StepResult, *, step: int, times: Times, read: bool, last: bool
    ) -> Shown | None:
        """Remember the step that made it `step` steps, and log all since the last time that values
        were read; now and then with pictures. Returns what they showed, None where nothing is read.
        Raises TrainingError: a loss or gradient that is not finite; its batch is then saved."""
        every = self.config.run.image_every
        if self._board is not None and every and step % every == 0:
            shown = (result.batch["image"], result.clicks, result.prev_mask, result.logits)
            picture = panel(*shown, result.batch["labels"])
            self._board.picture("train/photo clicks previous predicted truth", picture, step=step)
        self._unread.append((step, result.values, result.learning_rate, times))
        if not read:
            return None
        values = torch.stack([each for _, each, *_ in self._unread]).tolist()
        rows = list(zip(self._unread, values, strict=True))
        for (taken, *_), (*_, finite) in rows:
            if not finite:
                if taken < step:
                    result = self.step(self.remake(taken - 1), taken - 1)
                raise TrainingError(self._divergence(result, taken))
        for (taken, _, rate, used), (*found, _) in rows:
            if self._log is not None:
                self._log.add(
                    taken,
                    found,
                    learning_rate=rate,
                    samples=self.config.data.batch_size,
                    times=used,
                    last=last and taken == step,
                )
        seconds = sum(used[0] for *_, used in self._unread)
        phases = self._watch.read()
        busy = sum(sum(phases[name]) for name in NETWORK if name in phases)
        per_second = self.config.data.batch_size * len(self._unread) / seconds
        self._unread.clear()
        loss, iou, *_ = values[-1]
        return Shown(loss, iou, per_second, min(busy / seconds, 1.0))

    def validation_is_due(self, step: int) -> bool:
        """Whether it is time for a validation after `step` steps; it always is at the end."""
        run = self.config.run
        every = run.val_every_steps or run.val_every * self.length.steps_per_epoch
        return bool(self.benchmarks and every) and (step % every == 0 or step == self.length.steps)

    def validate(self, step: int, progress: ValidationProgress | None) -> None:
        """Count clicks on the benchmarks and keep the weights if they are the best so far."""
        if not self.team.leads:
            progress = None

        def tell(done: int, total: int) -> None:
            if progress is not None:
                progress(step=step, done=done, total=total, result=None, best=False)

        model = self.trainer.shipped_model
        samples = self.config.run.val_samples
        result = validate(model, self.benchmarks, self.team, samples=samples, progress=tell)
        best = self.best is None or result.score < self.best.score
        if best:
            self.best = Best(result.score, step)
        if self._log is not None:
            if best:
                save_checkpoint(model, self.output / BEST_CHECKPOINT)
            self._log.add_validation(result, step=step)
        if progress is not None:
            progress(step=step, done=0, total=0, result=result, best=best)

    def save(self, step: int) -> None:
        """Replace the last checkpoint."""
        if self.team.leads:
            path = self.output / LAST_CHECKPOINT
            given = (path, self.trainer, self.config)
            save_run(*given, data=self.data, step=step, best=self.best)

    def save_weights(self) -> None:
        """Write the weights to ship."""
        if self.team.leads:
            save_safetensors(self.trainer.shipped_model, self.output / WEIGHTS)

    def close(self) -> None:
        """Write what is pending."""
        if self._board is not None:
            self._board.close()

    def _divergence(self, result: StepResult, step: int) -> str:
        tensors = {
            **result.batch,
            "corrected_clicks": result.clicks,
            "prev_mask": result.prev_mask,
            "logits": result.logits,
        }
        place = save_diverged_batch(self.output, tensors, step=step, rank=self.team.rank)
        last = self.output / LAST_CHECKPOINT
        advice = "repeat with a lower --lr"
        if last.exists():
            advice = f"begin again with --init {last}, a lower --lr and another --output"
        return (
            f"the loss or its gradient is not finite at step {step} (learning rate "
            f"{result.learning_rate:.2g}): {place}; {advice}."
        )
