"""What a run keeps on disk: the last checkpoint with the optimiser, and the final weights."""

from pathlib import Path
from typing import Any

import torch

from ritm_edge.errors import CheckpointError, TrainingError
from ritm_edge.model.checkpoint import (
    load_checkpoint,
    load_state_strictly,
    read_checkpoint,
    save_checkpoint,
    save_safetensors,
)
from ritm_edge.model.published_config import parse_config
from ritm_edge.model.ritm import RitmModel, build_model

from .config import TrainConfig
from .settings import as_dict, flatten

LAST_CHECKPOINT = "last.pth"
WEIGHTS = "weights.safetensors"
_NEEDED = {"optimiser", "step", "config"}


def save_run(
    path: Path,
    model: RitmModel,
    optimiser: torch.optim.Optimizer,
    config: TrainConfig,
    *,
    step: int,
) -> None:
    """Replace the checkpoint at `path` atomically.

    Raises:
        OutputFileError: the place cannot be written; the old checkpoint stays.
    """
    state = {"optimiser": optimiser.state_dict(), "step": step, "config": as_dict(config)}
    save_checkpoint(model, path, training=state)


def restore_model(path: Path, config: TrainConfig) -> tuple[RitmModel, dict[str, Any]]:
    """Model and training state ("optimiser", "step", "config") of a checkpoint to go on from.

    Raises:
        CheckpointError: no such checkpoint, or one without training state.
        TrainingError: it belongs to a run with other settings.
    """
    content = read_checkpoint(path)
    training = content.get("training")
    if (
        not isinstance(training, dict)
        or not training.keys() >= _NEEDED
        or not isinstance(training["config"], dict)
        or not isinstance(training["step"], int)
    ):
        raise CheckpointError(
            f"{path} holds no training state: start anew with --init {path} and another --output."
        )
    changed = _changes(training["config"], config)
    if changed:
        raise TrainingError(
            f"{path} belongs to a run with other settings ({', '.join(changed)}): repeat that "
            f"run's options, or start anew with --init {path} and another --output."
        )
    model = build_model(**parse_config(content["config"], path).as_dict())  # type: ignore[arg-type]
    load_state_strictly(model, content["state_dict"], path)
    return model, training


def restore_optimiser(optimiser: torch.optim.Optimizer, state: Any, path: Path) -> None:
    """Load the state of `save_run`.

    Raises:
        CheckpointError: it is not the state of this optimiser.
    """
    try:
        optimiser.load_state_dict(state)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} has an optimiser state that does not fit ({error}): start anew with --init "
            f"{path} and another --output."
        ) from error


def write_weights(checkpoint: Path, path: Path, *, half: bool = True) -> Path:
    """Turn a training checkpoint into weights to ship: no optimiser, half precision.

    Args:
        checkpoint: any checkpoint `load_checkpoint` reads, `last.pth` for one.
        path: where to, ending in `.safetensors`.
        half: store float16 (loaded back as float32).

    Returns:
        `path`.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        OutputFileError: the place cannot be written.
    """
    save_safetensors(load_checkpoint(checkpoint), path, half=half)
    return path


def _changes(saved: dict[str, Any], config: TrainConfig) -> list[str]:
    """ "name was … now …" of every setting that differs; one the checkpoint is too old to know
    had its default."""
    current, defaults = flatten(as_dict(config)), flatten(as_dict(TrainConfig()))
    before = {**defaults, **flatten(saved)}
    return [
        f"{name} was {before.get(name, 'not set')}, now is {current.get(name, 'not set')}"
        for name in sorted(before.keys() | current.keys())
        if before.get(name) != current.get(name)
    ]
