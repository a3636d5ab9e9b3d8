"""RITM on EfficientNet-Lite: a network for phones, made for integer arithmetic and delegates.

The backbone is EfficientNet-Lite (the EfficientNet of arXiv:1905.11946 with ReLU6 and without
squeeze-and-excitation). Clicks are added to the photo's features at four scales, and a light
decoder of depthwise convolutions leads back to a quarter of the input resolution.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import AbsoluteScale, Layer, resize

STEM_CHANNELS = 32
CLICK_CHANNELS = 32  # at half of the input resolution
PYRAMID_CHANNELS = (32, 48, 64)  # of the click features at strides 4, 8 and 16
DECODER_CHANNELS, FINE_CHANNELS = 96, 64
# TensorFlow's batch-norm settings, with which the ImageNet weights were trained.
EPSILON, MOMENTUM = 1e-3, 0.01
# Photo values 0…255 enter the ImageNet network as (value − 127) / 128.
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


@dataclass(frozen=True)
class LiteConfig:
    """One EfficientNet-Lite, with (blocks, kernel, stride, expansion, channels) of its seven
    stages."""

    stages: tuple[tuple[int, int, int, int, int], ...]


LITE0 = LiteConfig(
    (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
)
# Stages after which click features join (strides 4, 8, 16), and those that the decoder reads.
JOINING, READ = (1, 2, 3), (1, 2, 4, 6)


def _unit(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: bool = True,
) -> nn.Sequential:
    """Convolution, batch norm and, if wanted, ReLU6, as in the ImageNet network."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if activation else []))


class InvertedResidual(nn.Module):
    """1×1 expansion, depthwise convolution, 1×1 projection; a skip connection where sizes allow."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        middle = inputs * expansion
        self.expand = _unit(inputs, middle) if expansion != 1 else nn.Identity()
        self.depthwise = _unit(middle, middle, kernel, stride=stride, groups=middle)
        self.project = _unit(middle, outputs, activation=False)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skips else y


class ClickPyramid(nn.Module):
    """Click features at strides 2 to 16, each with a learned scale that starts small.

    There is no batch norm, since click maps are zero almost everywhere.
    """

    def __init__(self, joined: list[int]) -> None:
        super().__init__()
        self.scale = AbsoluteScale()
        sizes = (CLICK_CHANNELS, *PYRAMID_CHANNELS)
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(fine, fine, 3, 2, 1, groups=fine),
                nn.Conv2d(fine, coarse, 1),
                nn.ReLU(inplace=True),
            )
            for fine, coarse in itertools.pairwise(sizes)
        )
        self.join = nn.ModuleList(
            nn.Sequential(nn.Conv2d(own, theirs, 1), AbsoluteScale())
            for own, theirs in zip(PYRAMID_CHANNELS, joined, strict=True)
        )

    def forward(self, maps: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """What joins the stem, what joins the stages `JOINING`, and the features at stride 4."""
        features, joined = [maps], []
        for down, join in zip(self.down, self.join, strict=True):
            features.append(down(features[-1]))
            joined.append(join(features[-1]))
        return self.scale(maps), joined, features[1]


class ResidualSeparable(nn.Module):
    """Depthwise convolution and 1×1 mixing, added to the input, then ReLU."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.mix = _lateral(channels, channels)
        self.relu: Layer = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.mix(self.depthwise(x)))


def _lateral(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class LiteDecoder(nn.Module):
    """From the coarsest features to the finest, adding the backbone's at each scale."""

    def __init__(self, widths: tuple[int, ...], click_channels: int) -> None:
        super().__init__()
        fine, middle, coarse, coarsest = widths
        self.lateral32 = nn.Sequential(*_lateral(coarsest, DECODER_CHANNELS), nn.ReLU(inplace=True))
        self.whole_photo = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(coarsest, DECODER_CHANNELS, 1), nn.ReLU(inplace=True)
        )
        self.refine32 = nn.Sequential(ResidualSeparable(DECODER_CHANNELS, 5))
        self.lateral16 = _lateral(coarse, DECODER_CHANNELS)
        self.refine16 = nn.Sequential(*(ResidualSeparable(DECODER_CHANNELS, 5) for _ in range(2)))
        self.lateral8 = _lateral(middle, DECODER_CHANNELS)
        self.refine8 = nn.Sequential(
            ResidualSeparable(DECODER_CHANNELS, 5), ResidualSeparable(DECODER_CHANNELS, 3)
        )
        self.narrow = _lateral(DECODER_CHANNELS, FINE_CHANNELS)
        self.lateral4 = _lateral(fine + click_channels, FINE_CHANNELS)
        self.refine4 = nn.Sequential(*(ResidualSeparable(FINE_CHANNELS, 3) for _ in range(2)))
        self.logits = nn.Conv2d(FINE_CHANNELS, 1, 1)
        self.aux_logits = nn.Conv2d(DECODER_CHANNELS, 1, 1)
        self.relu: Layer = nn.ReLU(inplace=True)

    def forward(
        self, features: list[Tensor], clicks: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Object logits at stride 4; while training also auxiliary ones at stride 8."""
        fine, middle, coarse, coarsest = features
        x = self.refine32(self.lateral32(coarsest) + self.whole_photo(coarsest))
        x = self.refine16(self._joined(x, self.lateral16(coarse)))
        x = self.refine8(self._joined(x, self.lateral8(middle)))
        aux_logits = self.aux_logits(x) if self.training else None
        if clicks is not None:
            fine = torch.cat((fine, clicks), dim=1)
        x = self.refine4(self._joined(self.narrow(x), self.lateral4(fine)))
        return self.logits(x), aux_logits

    def _joined(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return self.relu(resize(coarse, fine.shape[2:]) + fine)


class LiteNetwork(nn.Module):
    """Backbone, click pyramid and decoder: normalised RGB and click features in, logits out;
    without click features (`with_clicks`) for DMF, where they are in the RGB."""

    def __init__(self, config: LiteConfig, *, with_clicks: bool) -> None:
        super().__init__()
        self.stem = _unit(3, STEM_CHANNELS, 3, stride=2)
        blocks: list[nn.Module] = []
        self.ends: list[int] = []  # of the stages: index after their last block
        inputs = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in config.stages:
            for index in range(repeats):
                blocks.append(
                    InvertedResidual(
                        inputs,
                        outputs,
                        kernel=kernel,
                        stride=stride if index == 0 else 1,
                        expansion=expansion,
                    )
                )
                inputs = outputs
            self.ends.append(len(blocks))
        self.blocks = nn.ModuleList(blocks)
        widths = [stage[-1] for stage in config.stages]
        self.clicks = ClickPyramid([widths[stage] for stage in JOINING]) if with_clicks else None
        self.decoder = LiteDecoder(
            tuple(widths[stage] for stage in READ), PYRAMID_CHANNELS[0] if with_clicks else 0
        )

    def forward(self, rgb: Tensor, click_features: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Predict at a quarter of the input resolution from RGB [B, 3, H, W], normalised with
        `MEAN` and `STD`: object logits [B, 1, ⌈H/4⌉, ⌈W/4⌉], and while training auxiliary logits
        [B, 1, ⌈H/8⌉, ⌈W/8⌉]. Click features [B, 32, ⌈H/2⌉, ⌈W/2⌉] are added after the first
        convolution and, further reduced, at three coarser scales; None when the clicks are already
        in `rgb` (DMF)."""
        x = self.stem(rgb)
        joined: list[Tensor] = []
        fine_clicks = None
        if self.clicks is not None and click_features is not None:
            at_stem, joined, fine_clicks = self.clicks(click_features)
            x = x + at_stem
        features: list[Tensor] = []
        start = 0
        for stage, end in enumerate(self.ends):
            for block in self.blocks[start:end]:
                x = block(x)
            start = end
            if joined and stage in JOINING:
                x = x + joined[JOINING.index(stage)]
            if stage in READ:
                features.append(x)
        logits: tuple[Tensor, Tensor | None] = self.decoder(features, fine_clicks)
        return logits
