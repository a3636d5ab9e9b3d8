"""Small building blocks shared by the backbone and the heads."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]  # torch declares the call of a module as Any


def resize(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear, corner-aligned resize of [B, C, H, W] to (H', W'): the only kind the published
    network uses."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def conv3x3(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """3×3 convolution that keeps the size up to its stride, no bias (a batch norm follows)."""
    return nn.Conv2d(
        inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
    )


def conv1x1(inputs: int, outputs: int, *, stride: int = 1) -> nn.Conv2d:
    """1×1 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)


class BatchNormReLU(nn.Sequential):
    """Batch norm and ReLU as one entry; the nesting is part of the published parameter names."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class AbsoluteScale(nn.Module):
    """Multiplies by the absolute value of one learned scalar, `initial` at the start."""

    def __init__(self, initial: float = 0.05) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale.abs()


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with a skip connection (ResNet-34 and all HRNet branches): channels
    before and inside, of which `planes` leave the block; the stride of the first convolution;
    dilations of the first and of the second."""

    expansion = 1

    def __init__(
        self, inputs: int, planes: int, *, stride: int = 1, dilations: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, planes, stride=stride, dilation=dilations[0])
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, dilation=dilations[1])
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu: Layer = nn.ReLU(inplace=True)
        self.downsample = _projection(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + skip)


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions with a skip connection (ResNet-50 and HRNet's first stage):
    channels before and inside, of which four times `planes` leave the block; stride and first
    dilation are those of the 3×3 convolution; the second dilation is for `BasicBlock` only."""

    expansion = 4

    def __init__(
        self, inputs: int, planes: int, *, stride: int = 1, dilations: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = conv1x1(inputs, planes)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride=stride, dilation=dilations[0])
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu: Layer = nn.ReLU(inplace=True)
        self.downsample = _projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + skip)


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """What the skip connection needs where the block changes channels or size."""
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(conv1x1(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs))
