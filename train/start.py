"""Where a run starts: random weights, or those of a checkpoint."""

import math
from pathlib import Path

from torch import nn

from ritm_edge.errors import CheckpointError
from ritm_edge.model.checkpoint import load_checkpoint
from ritm_edge.model.ritm import RitmModel, build_model

from .config import TrainConfig
from .settings import as_dict


def initialise(model: RitmModel) -> None:
    """Normal convolution weights of standard deviation sqrt(2 / mean of fan-in and fan-out), zero
    biases, unit batch norms, as the published implementation before it loads a backbone."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight, gain=math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def new_model(config: TrainConfig, init: Path | None) -> RitmModel:
    """The model of a new run.

    Args:
        config: which model.
        init: checkpoint whose weights are the start; None draws them at random.

    Raises:
        CheckpointError: `init` cannot be used, or holds another model.
        InputFileError: `init` does not exist.
    """
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
