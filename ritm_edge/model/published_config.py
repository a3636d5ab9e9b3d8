"""The model description inside published checkpoints, in both directions.

It is a dict with `class`, the name of the published class, and `params`, its constructor arguments.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..untrusted_json import shown
from .ritm import (
    DECODER_CHANNELS,
    DEEPLABS,
    HRNETS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITES,
    ModelConfig,
)

HRNET_CLASS = "isegm.model.is_hrnet_model.HRNetModel"
DEEPLAB_CLASS = "isegm.model.is_deeplab_model.DeeplabModel"
LITE_CLASS = "ritm_edge.model.efficientnet_lite.LiteNetwork"  # ours, in the same form
# Constructor defaults of the published classes: what an absent argument means.
COMMON_DEFAULTS: dict[str, Any] = {
    "use_rgb_conv": True,
    "conv_extend": False,
    "use_leaky_relu": False,
    "use_disks": False,
    "norm_radius": 260,
    "with_prev_mask": False,
}
MAX_RADIUS = 10_000  # pixels
_LAYERS = "torch.nn.modules.batchnorm"
# Arguments of which only these values are implemented; the layers differ in training alone.
FIXED: dict[str, tuple[Any, ...]] = {
    "clicks_groups": (None, False),
    "binary_prev_mask": (None, False),
    "norm_mean_std": ([list(IMAGENET_MEAN), list(IMAGENET_STD)],),
    "norm_layer": (None, f"{_LAYERS}.BatchNorm2d", f"{_LAYERS}.SyncBatchNorm"),
}
# Arguments that do not change what a trained model computes.
WITHOUT_EFFECT = "with_aux_output cpu_dist_maps backbone_norm_layer backbone_lr_mult aspp_dropout"
CLASS_DEFAULTS: dict[str, dict[str, Any]] = {
    HRNET_CLASS: {"width": 48, "ocr_width": 256, "small": False},
    DEEPLAB_CLASS: {"backbone": "resnet50", "deeplab_ch": 256},
    LITE_CLASS: {"backbone": None},
}


def parse_config(config: Any, path: Path) -> ModelConfig:
    """Translate the published constructor arguments to a `ModelConfig`. Dropout and
    learning-rate multipliers are not part of it: they do not change what a trained model
    computes. Raises CheckpointError: another class, unknown arguments, or those of a model that
    is not implemented."""
    if not isinstance(config, Mapping) or not isinstance(config.get("params"), Mapping):
        raise CheckpointError(f"{path} has no model description in 'config': save it again.")
    published_class = config.get("class")
    if not isinstance(published_class, str) or published_class not in CLASS_DEFAULTS:
        raise CheckpointError(
            f"{path} describes the model class {shown(published_class)}: only "
            f"{' and '.join(CLASS_DEFAULTS)} can be loaded."
        )
    values = COMMON_DEFAULTS | CLASS_DEFAULTS[published_class]
    for name, entry in config["params"].items():
        value = entry.get("value") if isinstance(entry, Mapping) else entry
        if name in values:
            # Of backbones without a default: a text.
            kind = str if values[name] is None else type(values[name])
            supported = type(value) is kind
            if name == "norm_radius":
                supported = type(value) in (int, float) and 0 < value <= MAX_RADIUS  # type: ignore[operator]
            values[name] = value
        else:
            fixed = map(repr, FIXED.get(name, ()))  # as text: a value may be of any type
            supported = name in WITHOUT_EFFECT.split() or repr(_as_lists(value)) in fixed
        if not supported:
            raise CheckpointError(
                f"{path} was trained with {name}={shown(value)}, which is not supported: use a "
                "checkpoint without it."
            )
    decoder_channels = None
    if published_class == HRNET_CLASS:
        name = _hrnet_name(values, path)
    elif published_class == LITE_CLASS:
        name = _lite_name(values, path)
    else:
        name = _deeplab_name(values, path)
        if values["deeplab_ch"] != DEEPLABS[name].channels:
            decoder_channels = values["deeplab_ch"]
    return ModelConfig(
        name=name,
        input_scheme="dmf"
        if values["use_rgb_conv"]
        else ("conv1e" if values["conv_extend"] else "conv1s"),
        encoding="disk" if values["use_disks"] else "distance",
        radius=values["norm_radius"],
        prev_mask=bool(values["with_prev_mask"]),
        leaky_relu=bool(values["use_leaky_relu"]),
        decoder_channels=decoder_channels,
    )


def _as_lists(value: Any) -> Any:
    return [_as_lists(each) for each in value] if isinstance(value, list | tuple) else value


def _hrnet_name(values: Mapping[str, Any], path: Path) -> str:
    for name, hrnet in HRNETS.items():
        widths = (hrnet.width, hrnet.ocr_width, hrnet.blocks == 2)
        if widths == (values["width"], values["ocr_width"], bool(values["small"])):
            return name
    raise CheckpointError(
        f"{path} describes an HRNet of width {values['width']}, OCR width {values['ocr_width']}, "
        f"small={values['small']}: only {', '.join(HRNETS)} are known."
    )


def _deeplab_name(values: Mapping[str, Any], path: Path) -> str:
    if values["deeplab_ch"] in DECODER_CHANNELS:
        for name, deeplab in DEEPLABS.items():
            if deeplab.backbone == values["backbone"]:
                return name
    raise CheckpointError(
        f"{path} describes a DeepLabV3+ on {values['backbone']!r} with {values['deeplab_ch']!r} "
        f"channels: only {' and '.join(d.backbone for d in DEEPLABS.values())} with "
        f"{' or '.join(map(str, DECODER_CHANNELS))} are known."
    )


def _lite_name(values: Mapping[str, Any], path: Path) -> str:
    name = values["backbone"]
    if isinstance(name, str) and name in LITES:
        return name
    raise CheckpointError(
        f"{path} describes an EfficientNet-Lite {name!r}: only {', '.join(LITES)} is known."
    )


def published_config(config: ModelConfig) -> dict[str, Any]:
    """The inverse of `parse_config`: what the published code needs to rebuild the model."""
    if config.name in HRNETS:
        hrnet = HRNETS[config.name]
        published_class = HRNET_CLASS
        values: dict[str, Any] = {
            "width": hrnet.width,
            "ocr_width": hrnet.ocr_width,
            "small": hrnet.blocks == 2,
            "with_aux_output": True,
        }
    elif config.name in LITES:
        published_class, values = LITE_CLASS, {"backbone": config.name}
    else:
        deeplab = DEEPLABS[config.name]
        published_class = DEEPLAB_CLASS
        values = {
            "backbone": deeplab.backbone,
            "deeplab_ch": config.decoder_channels or deeplab.channels,
            "aspp_dropout": deeplab.dropout,
        }
    values |= {
        "use_leaky_relu": config.leaky_relu,
        "use_rgb_conv": config.input_scheme == "dmf",
        "conv_extend": config.input_scheme == "conv1e",
        "use_disks": config.encoding == "disk",
        "norm_radius": config.radius,
        "with_prev_mask": config.prev_mask,
    }
    params = {k: {"type": "builtin", "value": v, "specified": True} for k, v in values.items()}
    return {"class": published_class, "params": params}
