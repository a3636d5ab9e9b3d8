"""DeepLabV3+ (arXiv:1802.02611) on a dilated ResNet, in the published parameter names."""

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


class SeparableConv(nn.Module):
    """3×3 convolution of each channel, 1×1 across channels, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body: Layer = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            conv1x1(inputs, outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class SeparableHead(nn.Module):
    """Decoder features [B, C, H/4, W/4] to object logits [B, 1, H/4, W/4]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = channels // 2
        self.layers: Layer = nn.Sequential(
            SeparableConv(channels, middle),
            SeparableConv(middle, middle),
            nn.Conv2d(middle, 1, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class _Decoder(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block: Layer = nn.Sequential(
            SeparableConv(channels + SKIP_CHANNELS, channels),
            SeparableConv(channels, channels),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.block(features)


class _SkipProjection(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.skip_project: Layer = nn.Sequential(
            conv1x1(inputs, SKIP_CHANNELS), nn.BatchNorm2d(SKIP_CHANNELS), nn.ReLU(inplace=True)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.skip_project(features)


class _GlobalPooling(nn.Module):
    """The mean over all positions, mixed by a 1×1 convolution and repeated at every position."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.gap: Layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            conv1x1(inputs, outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.gap(features).expand(-1, -1, features.shape[2], features.shape[3])


class SpatialPyramid(nn.Module):
    """Atrous spatial pyramid pooling: five views of the same features, concatenated and mixed."""

    def __init__(self, inputs: int, outputs: int, *, dropout: float) -> None:
        super().__init__()
        # The misspelt name is that of the published checkpoints.
        self.concurent = nn.ModuleList(
            [
                nn.Sequential(
                    conv1x1(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
                ),
                *(self._atrous(inputs, outputs, rate) for rate in ATROUS_RATES),
                _GlobalPooling(inputs, outputs),
            ]
        )
        self.project: Layer = nn.Sequential(
            conv1x1(5 * outputs, outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )

    @staticmethod
    def _atrous(inputs: int, outputs: int, rate: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.project(torch.cat([view(features) for view in self.concurent], dim=1))


class DeepLabV3Plus(nn.Module):
    """Backbone, pyramid and decoder: normalised RGB and click features in, features at 1/4 out."""

    def __init__(self, config: DeepLabConfig) -> None:
        super().__init__()
        self.backbone = DilatedResNet(config.block, config.blocks, deep_stem=config.deep_stem)
        self.head: Layer = _Decoder(config.channels)
        self.skip_project = _SkipProjection(64 * config.block.expansion)
        self.aspp = SpatialPyramid(self.backbone.outputs, config.channels, dropout=config.dropout)

    def forward(self, rgb: Tensor, click_features: Tensor | None) -> Tensor:
        """Decoder features [B, `channels`, ⌈H/4⌉, ⌈W/4⌉] of RGB [B, 3, H, W], normalised with
        ImageNet statistics, and click features [B, 64, ⌈H/2⌉, ⌈W/2⌉], added before the stem's
        pooling; None when the clicks are already in `rgb` (DMF)."""
        fine, coarse = self.backbone(rgb, click_features)
        pyramid = resize(self.aspp(coarse), fine.shape[2:])
        return self.head(torch.cat((pyramid, self.skip_project(fine)), dim=1))
