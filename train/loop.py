"""The training loop: iterative training with mask guidance (section 3.2)."""

import math
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ritm_edge.errors import CheckpointError, TrainingError, UsageError
from ritm_edge.files import existing_file
from ritm_edge.model.checkpoint import load_checkpoint
from ritm_edge.model.ritm import ModelOutput, RitmModel, build_model

from .config import TrainConfig
from .dataset import ClickDataset, Sample, find_annotations
from .iterative import segment, simulate_corrections
from .loader import batches
from .losses import binary_cross_entropy, normalized_focal_loss
from .run_log import LOG, RunLog
from .schedule import learning_rate_at, run_length
from .settings import as_dict
from .state import (
    LAST_CHECKPOINT,
    WEIGHTS,
    restore_model,
    restore_optimiser,
    save_run,
    write_weights,
)


class Progress(Protocol):
    """Receives the state of a run after every step."""

    def __call__(
        self, *, step: int, steps: int, loss: float, iou: float, samples_per_second: float
    ) -> None: ...


def initialise(model: RitmModel) -> None:
    """Normal convolution weights of standard deviation sqrt(2 / mean of fan-in and fan-out), zero
    biases, unit batch norms, as the published implementation before it loads a backbone."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight, gain=math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def make_optimiser(model: RitmModel, config: TrainConfig) -> torch.optim.Adam:
    """Adam with one rate for all parameters."""
    settings = config.optimizer
    return torch.optim.Adam(
        model.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )


def train(
    config: TrainConfig,
    *,
    data: Path,
    output: Path,
    init: Path | None = None,
    resume: bool = False,
    workers: int = 1,
    save_every: int = 200,
    progress: Progress | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train as long as `config.schedule` says.

    Every step draws its randomness from (seed, step), so a resumed run repeats an uninterrupted
    one. `output` receives `last.pth` (replaced atomically every `save_every` steps and at the
    end), `log.jsonl` and, at the end, the half-precision `weights.safetensors`.

    Args:
        config: what to train.
        data: folder in the layout of `find_annotations`.
        output: folder, made if it is missing.
        init: checkpoint whose weights are the start; None starts from scratch. Not read where a
            run is resumed.
        resume: continue `output/last.pth` if it is there.
        workers: data-loading processes; 0 loads in this process.
        save_every: steps.
        progress: called after every step.
        device: torch device; None takes CUDA where there is one.
        stop: asked after every step; True saves a checkpoint and returns early.

    Returns:
        Path of the last checkpoint.

    Raises:
        UsageError: negative `workers` or `save_every` below 1.
        InputFileError: `data` or `init` does not exist.
        TrainingError: no data, a photo that cannot be read, a run of other settings in `output`,
            a loss or gradient that is not finite (the last checkpoint stays), or no memory left.
        CheckpointError: `init` or the checkpoint to resume cannot be used, or is of another model.
        OutputFileError: `output` cannot be written.
    """
    if workers < 0 or save_every < 1:
        raise UsageError(
            f"workers is {workers} and save_every {save_every}: pass at least 0 and at least 1."
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    annotations = find_annotations(existing_file(data))
    last = output / LAST_CHECKPOINT
    if last.exists() and not resume:
        raise TrainingError(f"{last} exists: pass --resume to continue it or another --output.")

    torch.manual_seed(config.run.seed)
    training = None
    if last.exists():
        model, training = restore_model(last, config)
    else:
        model = _new_model(config, init)
    # channels_last is 1.3 times as fast on a CPU and changes no result beyond rounding.
    model = model.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = make_optimiser(model, config)
    step = 0
    if training is not None:
        restore_optimiser(optimiser, training["optimiser"], last)
        step = training["step"]
    # Opened now: an output that cannot be written is found before hours of work, not after.
    log = RunLog(output / LOG, done=step)

    length = run_length(config, len(annotations))
    samples = ClickDataset(annotations, config, start=step)
    before = time.monotonic()
    stream = batches(samples, batch_size=config.data.batch_size, workers=workers)
    with closing(stream):
        for batch in stream:
            rate = learning_rate_at(step, config, length)
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss, iou = _guarded_step(model, optimiser, batch, config, step=step, device=device)
            if not math.isfinite(loss):
                raise TrainingError(_divergence(step + 1, rate, last))
            step += 1
            now = time.monotonic()
            speed, before = config.data.batch_size / max(now - before, 1e-9), now
            ends = step == length.steps or stop()
            log.add(step=step, loss=loss, iou=iou, learning_rate=rate, speed=speed, last=ends)
            if progress is not None:
                progress(
                    step=step, steps=length.steps, loss=loss, iou=iou, samples_per_second=speed
                )
            if ends or step % save_every == 0:
                save_run(last, model, optimiser, config, step=step)
            if ends:
                break
    if step == length.steps:
        write_weights(last, output / WEIGHTS)
    return last


def train_step(
    model: RitmModel,
    optimiser: torch.optim.Optimizer,
    batch: Sample,
    config: TrainConfig,
    *,
    step: int,
    device: str,
) -> tuple[float, float]:
    """Simulated corrections without gradients, then one optimiser step.

    Returns:
        The loss and the mean IoU of the batch at probability 0.5. The loss is nan, and no
        parameter has changed, where it or a gradient is not finite.
    """
    rng = np.random.default_rng((config.run.seed, 1, step))
    torch.manual_seed(int(rng.integers(2**31)))  # dropout
    image = batch["image"].to(device, memory_format=torch.channels_last)
    labels, clicks = batch["labels"].to(device), batch["clicks"].to(device)
    iterations = int(rng.integers(config.iterative.max_iterations + 1))
    clicks, prev_mask = simulate_corrections(
        model,
        image,
        labels,
        clicks,
        iterations=iterations,
        rng=rng,
        use_prev_mask=config.iterative.use_prev_mask,
    )
    output = segment(model, image, clicks, prev_mask)
    loss = total_loss(output, labels, aux_weight=config.loss.aux_weight)
    optimiser.zero_grad()
    loss.backward()
    norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    # A finite loss can have an infinite gradient, and the weights would be lost one step later.
    if not torch.isfinite(loss.detach() + torch.stack(norms).norm()):
        return math.nan, math.nan
    optimiser.step()
    return float(loss.detach()), _mean_iou(output.mask_logits.detach(), labels)


def total_loss(output: ModelOutput, labels: Tensor, *, aux_weight: float) -> Tensor:
    """Batch mean of the normalised focal loss plus the weighted auxiliary cross-entropy, if any.

    Args:
        output: logits [B, 1, H, W].
        labels: [B, 1, H, W]; 1 object, 0 background, −1 ignore.
        aux_weight: 0.4 as published.
    """
    loss = normalized_focal_loss(output.mask_logits, labels).mean()
    if output.aux_logits is None:
        return loss
    return loss + aux_weight * binary_cross_entropy(output.aux_logits, labels).mean()


def _guarded_step(
    model: RitmModel,
    optimiser: torch.optim.Optimizer,
    batch: Sample,
    config: TrainConfig,
    *,
    step: int,
    device: str,
) -> tuple[float, float]:
    try:
        return train_step(model, optimiser, batch, config, step=step, device=device)
    except RuntimeError as error:
        # CUDA has a type of its own for it, the CPU allocator only this text.
        out_of_memory = isinstance(error, torch.OutOfMemoryError)
        if not out_of_memory and "can't allocate memory" not in str(error):
            raise
        raise TrainingError(
            f"no memory left for batches of {config.data.batch_size} crops of "
            f"{'x'.join(map(str, config.augmentation.crop))}: lower --batch-size or --crop."
        ) from error


def _divergence(step: int, rate: float, last: Path) -> str:
    advice = "repeat with a lower --lr"
    if last.exists():
        advice = f"start anew with --init {last}, a lower --lr and another --output"
    return (
        f"the loss or its gradient is not finite at step {step} (learning rate {rate:.2g}): "
        f"{advice}."
    )


def _mean_iou(logits: Tensor, labels: Tensor) -> float:
    predicted, truth, valid = logits > 0, labels == 1, labels != -1
    both = (predicted & truth).flatten(1).sum(dim=1)
    either = ((predicted | truth) & valid).flatten(1).sum(dim=1)
    return float((both / either.clamp(min=1)).mean())


def _new_model(config: TrainConfig, init: Path | None) -> RitmModel:
    wanted = as_dict(config.model)
    if init is None:
        model = build_model(**wanted)
        initialise(model)
        return model
    model = load_checkpoint(init, model=config.model.name)
    held = model.config.as_dict()
    for name, value in wanted.items():
        if held[name] != value:
            raise CheckpointError(
                f"{init} was trained with {name}={held[name]}, the recipe says {value}: pass "
                f"--set model.{name}={held[name]} or another --init."
            )
    return model
