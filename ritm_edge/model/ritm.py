"""The interactive segmentation model: click encoding, input fusion, network, upsampling."""

from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from . import efficientnet_lite as lite
from .clicks_encoding import disk_maps, distance_maps
from .deeplab import DeepLabConfig, DeepLabV3Plus, separable_head
from .hrnet import HRNetConfig, HRNetOCR
from .layers import AbsoluteScale, BasicBlock, Bottleneck, resize

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

HRNETS: dict[str, HRNetConfig] = {
    "hrnet18s": HRNetConfig(width=18, ocr_width=48, blocks=2, stage_modules=(1, 3, 2)),
    "hrnet18": HRNetConfig(width=18, ocr_width=64),
    "hrnet32": HRNetConfig(width=32, ocr_width=128),
}
DEEPLABS: dict[str, DeepLabConfig] = {
    "deeplab_r34": DeepLabConfig("resnet34", BasicBlock, (3, 4, 6, 3), 128, deep_stem=False),
    "deeplab_r50": DeepLabConfig("resnet50", Bottleneck, (3, 4, 6, 3), 256, deep_stem=True),
}
LITES: dict[str, lite.LiteConfig] = {"lite0": lite.LITE0}
DECODER_CHANNELS = (128, 256)
CLICK_CHANNELS = 64

NetworkConfig = HRNetConfig | DeepLabConfig | lite.LiteConfig

InputScheme = Literal["conv1s", "conv1e", "dmf"]
Encoding = Literal["disk", "distance"]


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the architecture and what the network sees.

    Attributes:
        name: one of `model_names()`.
        input_scheme: how click maps enter (paper, Figure 3): conv1s, conv1e or dmf.
        encoding: disks or distance maps (paper, section 3.1).
        radius: pixels; disk radius, or the normalisation of distance maps (260 published).
        prev_mask: whether the previous mask is an input (paper, section 3.3).
        leaky_relu: LeakyReLU(0.2) instead of ReLU in the click branch.
        decoder_channels: of a DeepLabV3+; None means 128 with ResNet-34 and 256 with ResNet-50.
            The paper's Table 4 counts ResNet-50 with 128: 170.13 GFLOPs.
    """

    name: str
    input_scheme: InputScheme = "conv1s"
    encoding: Encoding = "disk"
    radius: float = 5
    prev_mask: bool = True
    leaky_relu: bool = True
    decoder_channels: int | None = None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class ModelOutput(NamedTuple):
    """Logits at input resolution, [B, 1, H, W] each.

    `aux_logits` only guides training; DeepLabV3+ has none, EfficientNet-Lite while training only.
    """

    mask_logits: Tensor
    aux_logits: Tensor | None


def model_names() -> list[str]:
    """Names that `build_model` accepts."""
    return [*HRNETS, *DEEPLABS, *LITES]


class RitmModel(nn.Module):
    """Click-based segmentation network in the published parameter names.

    Image normalisation happens inside, with the mean and standard deviation that the backbone's
    ImageNet weights were trained with.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, network: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        is_lite = isinstance(network, lite.LiteConfig)
        mean, std = (lite.MEAN, lite.STD) if is_lite else (IMAGENET_MEAN, IMAGENET_STD)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        channels = lite.CLICK_CHANNELS if is_lite else CLICK_CHANNELS
        maps = 3 if config.prev_mask else 2
        activation = nn.LeakyReLU(0.2) if config.leaky_relu else nn.ReLU()
        if config.input_scheme == "dmf":
            self.rgb_conv = nn.Sequential(
                nn.Conv2d(3 + maps, 6 + maps, 1),
                nn.BatchNorm2d(6 + maps),
                activation,
                nn.Conv2d(6 + maps, 3, 1),
            )
        elif config.input_scheme == "conv1e":
            self.maps_transform: nn.Module = nn.Conv2d(maps, channels, 3, stride=2, padding=1)
        else:
            self.maps_transform = nn.Sequential(
                nn.Conv2d(maps, 16, 1),
                activation,
                nn.Conv2d(16, channels, 3, stride=2, padding=1),
                # EfficientNet-Lite has scales of its own, one wherever clicks join the photo.
                nn.Identity() if is_lite else AbsoluteScale(),
            )
        if isinstance(network, DeepLabConfig):
            self.feature_extractor: nn.Module = DeepLabV3Plus(network)
            self.head: nn.Module | None = separable_head(network.channels)
            return
        self.head = None
        if isinstance(network, lite.LiteConfig):
            with_clicks = config.input_scheme != "dmf"
            self.feature_extractor = lite.LiteNetwork(network, with_clicks=with_clicks)
        else:
            self.feature_extractor = HRNetOCR(network)

    def encode_clicks(self, clicks: Tensor, height: int, width: int) -> Tensor:
        """Click maps [B, 2, H, W] in this model's encoding; see `clicks_encoding`."""
        if self.config.encoding == "disk":
            return disk_maps(clicks, height=height, width=width, radius=self.config.radius)
        return distance_maps(clicks, height=height, width=width, norm_radius=self.config.radius)

    def forward(
        self, image: Tensor, clicks: Tensor, prev_mask: Tensor | None = None
    ) -> ModelOutput:
        """Segment.

        Args:
            image: float32 [B, 3, H, W], RGB in 0…1.
            clicks: [B, 2K, 3] (row, column, order) in pixels; K positive slots, then K negative
                ones; −1 −1 −1 is empty.
            prev_mask: float32 [B, 1, H, W], probabilities; None means zeros. Refused where the
                model was built with `prev_mask=False`.

        Returns:
            `ModelOutput`, logits at input resolution.

        Raises:
            ShapeError: shapes that do not fit the above.
        """
        if image.ndim != 4 or image.shape[1] != 3:
            raise ShapeError(f"image has the shape {list(image.shape)}: pass [batch, 3, H, W].")
        height, width = image.shape[2:]
        maps = self.encode_clicks(clicks, height, width)
        if self.config.prev_mask:
            if prev_mask is None:
                prev_mask = torch.zeros_like(image[:, :1])
            maps = torch.cat((prev_mask, maps), dim=1)
        elif prev_mask is not None:
            raise ShapeError("this model has no previous-mask input: leave prev_mask out.")

        return self.segment((image - self.mean) / self.std, maps)

    def segment(self, rgb: Tensor, maps: Tensor) -> ModelOutput:
        """Segment RGB [B, 3, H, W], normalised with `mean` and `std`, by maps [B, 2, H, W] from
        `encode_clicks`, after the previous mask [B, 1, H, W] where the model has one."""
        logits, aux_logits = self._logits(*self.fuse(rgb, maps))
        size = rgb.shape[2:]
        return ModelOutput(
            resize(logits, size), None if aux_logits is None else resize(aux_logits, size)
        )

    def fuse(self, rgb: Tensor, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the backbone reads, from the inputs of `segment`: RGB, and the click features that
        join it later; None where they are in the RGB already (DMF)."""
        if self.config.input_scheme == "dmf":
            return self.rgb_conv(torch.cat((rgb, maps), dim=1)), None
        return rgb, self.maps_transform(maps)

    def _logits(self, rgb: Tensor, click_features: Tensor | None) -> tuple[Tensor, Tensor | None]:
        result = self.feature_extractor(rgb, click_features)
        logits: tuple[Tensor, Tensor | None]
        logits = result if self.head is None else (self.head(result), None)
        return logits


def build_model(
    name: str,
    *,
    input_scheme: InputScheme = "conv1s",
    encoding: Encoding = "disk",
    radius: float = 5,
    prev_mask: bool = True,
    leaky_relu: bool = True,
    decoder_channels: int | None = None,
) -> RitmModel:
    """Build an untrained model; arguments as of `ModelConfig`. Raises UsageError: an unknown name,
    input scheme or encoding, a radius ≤ 0, or a decoder width that the model does not have."""
    if name not in model_names():
        raise UsageError(f"unknown model '{name}': choose one of {', '.join(model_names())}.")
    if input_scheme not in ("conv1s", "conv1e", "dmf"):
        raise UsageError(f"unknown input scheme '{input_scheme}': choose conv1s, conv1e or dmf.")
    if encoding not in ("disk", "distance"):
        raise UsageError(f"unknown click encoding '{encoding}': choose disk or distance.")
    if not radius > 0:
        raise UsageError(f"the click radius is {radius}: pass a number of pixels above 0.")
    config = ModelConfig(
        name, input_scheme, encoding, radius, prev_mask, leaky_relu, decoder_channels
    )
    return RitmModel(config, _network(config))


def _network(config: ModelConfig) -> NetworkConfig:
    channels = config.decoder_channels
    if config.name not in DEEPLABS:
        if channels is not None:
            raise UsageError(
                f"{config.name} has no decoder of another width: leave decoder_channels out."
            )
        return LITES[config.name] if config.name in LITES else HRNETS[config.name]
    if channels is None:
        return DEEPLABS[config.name]
    if channels not in DECODER_CHANNELS:
        raise UsageError(
            f"a decoder of {channels!r} channels is unknown: choose one of "
            f"{', '.join(map(str, DECODER_CHANNELS))}."
        )
    return replace(DEEPLABS[config.name], channels=channels)
