"""DeepLabV3+ (arXiv:1802.02611) on a dilated ResNet, in the published parameter names."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import BasicBlock, Bottleneck, Layer, conv1x1, resize
from .resnet import DilatedResNet

SKIP_CHANNELS = 32
ATROUS_RATES = (12, 24, 36)


@dataclass(frozen=True)
class DeepLabConfig:
    """One DeepLabV3+ (paper, Table 4).

    Attributes:
        backbone: its name in published checkpoints.
        block: residual block of the backbone.
        blocks: number of blocks of layer1 … layer4.
        channels: of the decoder; 128 with ResNet-34, 256 with ResNet-50.
        deep_stem: three 3×3 convolutions instead of one 7×7.
        dropout: after the pyramid, while training.
    """

    backbone: str
    block: type[BasicBlock] | type[Bottleneck]
    blocks: tuple[int, int, int, int]
    channels: int
    deep_stem: bool
    dropout: float = 0.2


def _named(name: str, *layers: nn.Module) -> nn.Sequential:
    """Layers in sequence, under the name that they have in published checkpoints."""
    return nn.Sequential(OrderedDict([(name, nn.Sequential(*layers))]))


def _normalised(convolution: nn.Conv2d) -> tuple[nn.Module, ...]:
    """The convolution, batch norm and ReLU."""
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    """3×3 convolution of each channel, 1×1 across channels, batch norm, ReLU."""
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    return _named("body", depthwise, *_normalised(conv1x1(inputs, outputs)))


def separable_head(channels: int) -> nn.Sequential:
    """Decoder features [B, C, H/4, W/4] to object logits [B, 1, H/4, W/4]."""
    middle = channels // 2
    mixed = _separable(channels, middle), _separable(middle, middle)
    return _named("layers", *mixed, nn.Conv2d(middle, 1, 1))


class _GlobalPooling(nn.Module):
    """The mean over all positions, mixed by a 1×1 convolution and repeated at every position."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.gap: Layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), *_normalised(conv1x1(inputs, outputs))
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.gap(features).expand(-1, -1, features.shape[2], features.shape[3])


class SpatialPyramid(nn.Module):
    """Atrous spatial pyramid pooling: five views of the same features, concatenated and mixed."""

    def __init__(self, inputs: int, outputs: int, *, dropout: float) -> None:
        super().__init__()
        atrous = (
            nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate, bias=False)
            for rate in ATROUS_RATES
        )
        views = [_normalised(each) for each in (conv1x1(inputs, outputs), *atrous)]
        # The misspelt name is that of the published checkpoints.
        self.concurent = nn.ModuleList(
            [*(nn.Sequential(*view) for view in views), _GlobalPooling(inputs, outputs)]
        )
        mixed = _normalised(conv1x1(5 * outputs, outputs))
        self.project: Layer = nn.Sequential(*mixed, nn.Dropout(dropout))

    def forward(self, features: Tensor) -> Tensor:
        return self.project(torch.cat([view(features) for view in self.concurent], dim=1))


class DeepLabV3Plus(nn.Module):
    """Backbone, pyramid and decoder: normalised RGB and click features in, features at 1/4 out."""

    def __init__(self, config: DeepLabConfig) -> None:
        super().__init__()
        self.backbone = DilatedResNet(config.block, config.blocks, deep_stem=config.deep_stem)
        width, fine = config.channels, 64 * config.block.expansion
        mixed = _separable(width + SKIP_CHANNELS, width), _separable(width, width)
        self.head: Layer = _named("block", *mixed, nn.Conv2d(width, width, 1))
        self.skip_project = _named("skip_project", *_normalised(conv1x1(fine, SKIP_CHANNELS)))
        self.aspp = SpatialPyramid(self.backbone.outputs, config.channels, dropout=config.dropout)

    def forward(self, rgb: Tensor, click_features: Tensor | None) -> Tensor:
        """Decoder features [B, `channels`, ⌈H/4⌉, ⌈W/4⌉] of RGB [B, 3, H, W], normalised with
        ImageNet statistics, and click features [B, 64, ⌈H/2⌉, ⌈W/2⌉], added before the stem's
        pooling; None when the clicks are already in `rgb` (DMF)."""
        return self.head(self.joined(*self.backbone(rgb, click_features)))

    def joined(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """What the decoder reads: the pyramid of the coarse features beside the fine ones."""
        pyramid = resize(self.aspp(coarse), fine.shape[2:])
        return torch.cat((pyramid, self.skip_project(fine)), dim=1)
