"""What a run keeps on disk: the last checkpoint with its whole state, and the resulting weights.

A step's randomness (data, augmentation, clicks, dropout) is a function of the seed and the number
of the step, so that "step" in a checkpoint is both the data position and the state of every
random generator, whatever the number of processes that save it or resume from it.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ritm_edge import untrusted_json as untrusted
from ritm_edge.errors import CheckpointError, OutputFileError, TrainingError, UsageError
from ritm_edge.files import write_output
from ritm_edge.model.checkpoint import (
    DIGEST,
    load_state_strictly,
    read_checkpoint,
    refuse_non_finite,
    save_checkpoint,
)
from ritm_edge.model.published_config import parse_config
from ritm_edge.model.ritm import RitmModel, build_model

from .config import TrainConfig
from .fingerprint import difference
from .settings import as_dict, flatten
from .step import Trainer

LAST_CHECKPOINT = "last.pth"
BEST_CHECKPOINT = "best.pth"
WEIGHTS = "weights.safetensors"
_NEEDED = {"optimiser", "scaler", "average", "iou", "step", "config", "best"}
_KINDS = {"step": untrusted.COUNT, "iou": dict.fromkeys(("threshold", "mean"), untrusted.NUMBER)}
_SCALER = {"scale": untrusted.MEASURE, "_growth_tracker": untrusted.COUNT}
_BEST = untrusted.list_of(untrusted.MEASURE, "a score and a step")
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Best:
    """The best validation so far: mean NoC@90 (lower is better) and the steps before it."""

    score: float
    step: int


def save_run(
    path: Path, trainer: Trainer, config: TrainConfig, *, data: Tensor, step: int, best: Best | None
) -> None:
    """Replace the checkpoint at `path` atomically; `data` is the fingerprint of its photos. Raises
    OutputFileError: the place cannot be written; the old checkpoint stays."""
    state = {**trainer.state_dict(), "step": step, "config": as_dict(config), "data": data}
    state["best"] = None if best is None else [best.score, best.step]
    save_checkpoint(trainer.model, path, training=state)


def restore_model(
    path: Path, config: TrainConfig, *, allow_changed: bool = False
) -> tuple[RitmModel, dict[str, Any]]:
    """Model and training state of a checkpoint to resume from. Raises CheckpointError: no such
    checkpoint, one without training state, or a changed one; TrainingError: it belongs to a run
    with other settings."""
    content = read_checkpoint(path, allow_changed=allow_changed)
    training = content.get("training")
    if (
        not isinstance(training, dict)
        or not training.keys() >= _NEEDED
        or not isinstance(training["config"], dict)
    ):
        raise CheckpointError(
            f"{path} holds no training state: begin again with --init {path} and another --output."
        )
    try:
        untrusted.require_kinds(training, _KINDS, "its training state")
        before = TrainConfig(**training["config"])
    except (ValueError, TypeError, UsageError) as error:
        raise CheckpointError(
            f"{path} holds a training state of another form ({error}): begin again with --init "
            f"{path} and another --output."
        ) from error
    changed = _changes(before, config)
    if changed:
        raise TrainingError(
            f"{path} belongs to a run with other settings ({', '.join(changed)}): repeat that "
            f"run's options, or begin again with --init {path} and another --output."
        )
    model = build_model(**parse_config(content["config"], path).as_dict())  # type: ignore[arg-type]
    load_state_strictly(model, content["state_dict"], path)
    if isinstance(training["average"], Mapping):
        refuse_non_finite(training["average"], path)
    return model, training


def check_data(
    path: Path, training: Mapping[str, Any], data: Tensor, *, allow_other: bool = False
) -> str | None:
    """What the user should know about the photos of a checkpoint's run and the given ones. Raises
    TrainingError: they are others, and `allow_other` is not given."""
    if "data" not in training:
        return f"{path} does not tell which photos it was trained on: nothing to compare with."
    differs = difference(training["data"], data)
    if differs and not allow_other:
        raise TrainingError(
            f"{path} was trained on other data ({differs}): pass the folder it was trained on, or "
            "--allow-other-data to continue with this one."
        )
    return f"continuing with other data ({differs})" if differs else None


def check_place(folder: Path, *, resume: bool) -> None:
    """Raise TrainingError if a new run would replace weights. What a run left behind that was
    killed before its first checkpoint may be replaced."""
    for path in (folder / BEST_CHECKPOINT, folder / WEIGHTS):
        if path.exists() and not (resume and DIGEST in read_checkpoint(path)):
            raise TrainingError(
                f"{path} is there without {LAST_CHECKPOINT}: move it away or choose another "
                "--output."
            )


def restore_trainer(trainer: Trainer, state: dict[str, Any], path: Path) -> Best | None:
    """Load the training state that `restore_model` returned; returns the best validation so far, if
    there was one. Raises CheckpointError: it is not the state of such a run."""
    try:
        if state["step"] and not state["optimiser"]["state"]:
            raise ValueError("no moments")
        _require_moments(trainer, state["optimiser"]["state"])
        if state["scaler"]:
            untrusted.require_kinds(state["scaler"], _SCALER, "the scale of the loss")
        trainer.load_state_dict(state)
        if state["best"] is None:
            return None
        score, step = state["best"]
        if not _BEST[1](state["best"]) or type(step) is not int:
            raise ValueError(f"the best is {untrusted.shown(state['best'])} instead of {_BEST[0]}")
        return Best(float(score), step)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, IndexError) as error:
        raise CheckpointError(
            f"{path} has an optimiser state that does not fit ({error}): begin again with --init "
            f"{path} and another --output."
        ) from error


def save_diverged_batch(folder: Path, tensors: dict[str, Tensor], *, step: int, rank: int) -> str:
    """Keep the batch of a step whose loss was not finite, for `torch.load`; returns a half-sentence
    that says where it is, or why it is not."""
    path = folder / f"diverged-step-{step}{f'-rank-{rank}' if rank else ''}.pth"
    buffer = io.BytesIO()
    torch.save({name: value.detach().cpu() for name, value in tensors.items()}, buffer)
    try:
        write_output(path, buffer.getbuffer())
    except OutputFileError as error:
        return f"its batch could not be saved, {str(error).split(';')[0]}"
    return f"its batch is in {path}"


def _require_moments(trainer: Trainer, states: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Raise ValueError, or what a value of another type raises, for what Adam cannot go on with."""
    parameters = [p for group in trainer.optimiser.param_groups for p in group["params"]]
    for index, state in states.items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise ValueError(f"no parameter has the number {untrusted.shown(index)}")
        if any(state[name].shape != parameters[index].shape for name in _MOMENTS):
            raise ValueError(f"the moments of parameter {index} are of another shape")
        if not all(state[name].isfinite().all() for name in (*_MOMENTS, "step")):
            raise ValueError(f"the moments of parameter {index} are not finite")
        if min(state["exp_avg_sq"].min(), state["step"].min()) < 0:
            raise ValueError(f"the moments of parameter {index} are negative")


def _changes(before: TrainConfig, config: TrainConfig) -> list[str]:
    """ "name was … now …" of every setting that differs; one the checkpoint is too old to know
    had its default."""
    saved, current = flatten(as_dict(before)), flatten(as_dict(config))
    return [
        f"{name} was {value}, now is {current[name]}"
        for name, value in sorted(saved.items())
        if value != current.get(name)
    ]
