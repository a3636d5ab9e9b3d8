"""Where a run starts: random weights, a backbone from ImageNet, or a checkpoint."""

import math
from pathlib import Path

from torch import nn

from ritm_edge.errors import CheckpointError
from ritm_edge.model.checkpoint import is_checkpoint, load_checkpoint, read_content
from ritm_edge.model.ritm import RitmModel, build_model
from ritm_edge.weights import checkpoint_path

from .config import TrainConfig
from .pretrained import imagenet_file, load_backbone
from .settings import as_dict


def initialise(model: RitmModel) -> None:
    """Normal convolution weights of standard deviation sqrt(2 / mean of fan-in and fan-out), zero
    biases, unit batch norms, as the published implementation before it loads a backbone."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight, gain=math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


IMAGENET = "imagenet"
SCRATCH = (
    "no --init: all weights are random, the run starts from scratch; the published models start "
    "from ImageNet weights of their backbone"
)


def new_model(config: TrainConfig, init: Path | None) -> tuple[RitmModel, str]:
    """The model of a new run, and in one line where its weights are from.

    Args:
        config: which model.
        init: a checkpoint of this model or the name of embedded weights, the file of its
            backbone's ImageNet weights or "imagenet" for those of an installed package; None draws
            all weights at random.

    Raises:
        CheckpointError: `init` cannot be used, or holds another model.
        InputFileError: `init` does not exist.
    """
    wanted = as_dict(config.model)
    if init is not None:
        init = imagenet_file(config.model.name) if str(init) == IMAGENET else checkpoint_path(init)
        content = read_content(init)
        if is_checkpoint(content):
            return _whole(init, config), f"{init}: all weights loaded"
    model = build_model(**wanted)
    initialise(model)
    return model, SCRATCH if init is None else load_backbone(model, content, init)


def _whole(path: Path, config: TrainConfig) -> RitmModel:
    model = load_checkpoint(path, model=config.model.name)
    held = model.config.as_dict()
    for name, value in as_dict(config.model).items():
        if held[name] != value:
            raise CheckpointError(
                f"{path} was trained with {name}={held[name]}, the recipe says {value}: pass "
                f"--set model.{name}={held[name]} or another --init."
            )
    return model
