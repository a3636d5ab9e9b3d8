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


def new_model(
    config: TrainConfig, init: Path | None, *, allow_changed: bool = False
) -> tuple[RitmModel, str]:
    """The model of a new run, and one line that says where its weights are from: `init` is a
    checkpoint of this model or the name of embedded weights, the file of its backbone's ImageNet
    weights, or "imagenet" for those of an installed package; None draws all at random. Raises
    CheckpointError: it cannot be used, or holds another model; InputFileError: it does not
    exist."""
    wanted = as_dict(config.model)
    if init is not None:
        init = imagenet_file(config.model.name) if str(init) == IMAGENET else checkpoint_path(init)
        content = read_content(init, allow_changed=allow_changed)
        if is_checkpoint(content):
            model = load_checkpoint(init, model=config.model.name, allow_changed=allow_changed)
            _require_settings(model, config, init)
            return model, f"{init}: all weights loaded"
    model = build_model(**wanted)
    initialise(model)
    return model, SCRATCH if init is None else load_backbone(model, content, init)


def _require_settings(model: RitmModel, config: TrainConfig, path: Path) -> None:
    held = model.config.as_dict()
    for name, value in as_dict(config.model).items():
        if held[name] != value:
            raise CheckpointError(
                f"{path} was trained with {name}={held[name]}, the recipe says {value}: pass "
                f"--set model.{name}={held[name]} or another --init."
            )
