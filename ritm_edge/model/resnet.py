"""Dilated ResNet (arXiv:1512.03385, 1706.05587), in the published parameter names."""

from torch import Tensor, nn

from .layers import BasicBlock, Bottleneck, conv3x3

# Planes, stride and dilation of layer1 … layer4. Dilation instead of stride in the last two keeps
# the output at an eighth of the input.
STAGES = ((64, 1, 1), (128, 2, 1), (256, 1, 2), (512, 1, 4))


class DilatedResNet(nn.Module):
    """ResNet without its classifier, of output stride 8: kind and numbers of blocks of layer1 …
    layer4, and a deep stem of three 3×3 convolutions (64, 64, 128 channels) instead of one 7×7 (64
    channels)."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        *,
        deep_stem: bool,
    ) -> None:
        super().__init__()
        self.stem_channels = 128 if deep_stem else 64
        self.conv1: nn.Module = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        if deep_stem:
            self.conv1 = nn.Sequential(
                conv3x3(3, 64, stride=2),
                nn.BatchNorm2d(64),
                nn.ReLU(inplace=True),
                conv3x3(64, 64),
                nn.BatchNorm2d(64),
                nn.ReLU(inplace=True),
                conv3x3(64, 128),
            )
        self.bn1 = nn.BatchNorm2d(self.stem_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = self.stem_channels
        layers = []
        for count, (planes, stride, dilation) in zip(blocks, STAGES, strict=True):
            # The step from one dilation to the next is made in two: half of it first.
            first = block(
                inputs, planes, stride=stride, dilations=(max(1, dilation // 2), dilation)
            )
            inputs = planes * block.expansion
            rest = (block(inputs, planes, dilations=(dilation, dilation)) for _ in range(count - 1))
            layers.append(nn.Sequential(first, *rest))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.outputs = inputs

    def forward(self, rgb: Tensor, click_features: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features of layer1 (stride 4) and layer4 (stride 8) of RGB [B, 3, H, W], normalised with
        ImageNet statistics. Click features [B, C, ⌈H/2⌉, ⌈W/2⌉] with C ≤ `stem_channels` are added
        to the first channels of the stem before it is pooled; None adds nothing."""
        x = self.relu(self.bn1(self.conv1(rgb)))
        if click_features is not None:
            missing = self.stem_channels - click_features.shape[1]
            x = x + nn.functional.pad(click_features, (0, 0, 0, 0, 0, missing))
        fine = self.layer1(self.maxpool(x))
        return fine, self.layer4(self.layer3(self.layer2(fine)))
