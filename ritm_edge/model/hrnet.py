"""HRNet with the OCR head (arXiv:1908.07919 and 1909.11065), in the published parameter names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .layers import BasicBlock, Bottleneck, Layer, conv1x1, conv3x3, resize
from .ocr import ObjectContextHead, gather_context

STEM_CHANNELS = 64


@dataclass(frozen=True)
class HRNetConfig:
    """Widths and depths of one HRNet (paper, Table 4).

    `width` is the number of channels of the finest branch; branch i has width·2^i.
    """

    width: int
    ocr_width: int
    blocks: int = 4
    stage_modules: tuple[int, int, int] = (1, 4, 3)


class ExchangeModule(nn.Module):
    """Residual blocks in every branch, then each branch receives the sum of all branches."""

    def __init__(self, widths: list[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )
        self.relu: Layer = nn.ReLU(inplace=True)

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        branches = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return [
            self._fuse(branches, target, cast(nn.ModuleList, paths))
            for target, paths in enumerate(self.fuse_layers)
        ]

    def _fuse(self, branches: list[Tensor], target: int, paths: nn.ModuleList) -> Tensor:
        size = branches[target].shape[2:]
        total: Tensor | None = None
        for source, path in enumerate(paths):
            term = path(branches[source])
            if source > target:
                term = resize(term, size)
            total = term if total is None else total + term
        assert total is not None
        return self.relu(total)


def _path(widths: list[int], source: int, target: int) -> nn.Module:
    """From one resolution to another: 1×1 up (the resize follows), chain of 3×3 stride 2 down."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            conv1x1(widths[source], widths[target]), nn.BatchNorm2d(widths[target])
        )
    steps: list[nn.Module] = []
    for step in range(source, target):
        last = step == target - 1
        outputs = widths[target] if last else widths[source]
        layers: list[nn.Module] = [
            conv3x3(widths[source], outputs, stride=2),
            nn.BatchNorm2d(outputs),
        ]
        if not last:
            layers.append(nn.ReLU(inplace=True))
        steps.append(nn.Sequential(*layers))
    return nn.Sequential(*steps)


def _transition(before: list[int], after: list[int]) -> nn.ModuleList:
    """Adapt the channels of existing branches and start one new branch at half the resolution."""
    layers: list[nn.Module] = []
    for index, width in enumerate(after):
        if index < len(before):
            if before[index] == width:
                layers.append(nn.Identity())
            else:
                layers.append(_conv_bn_relu(before[index], width, stride=1))
        else:
            layers.append(nn.Sequential(_conv_bn_relu(before[-1], width, stride=2)))
    return nn.ModuleList(layers)


def _conv_bn_relu(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        conv3x3(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class HRNetOCR(nn.Module):
    """Backbone and heads: normalised RGB and click features in, two logit maps at 1/4 out."""

    def __init__(self, config: HRNetConfig) -> None:
        super().__init__()
        widths = [config.width * 2**branch for branch in range(4)]
        self.conv1 = conv3x3(3, STEM_CHANNELS, stride=2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.conv2 = conv3x3(STEM_CHANNELS, STEM_CHANNELS, stride=2)
        self.bn2 = nn.BatchNorm2d(STEM_CHANNELS)
        self.relu = nn.ReLU(inplace=True)

        outputs = STEM_CHANNELS * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            Bottleneck(STEM_CHANNELS, STEM_CHANNELS),
            *(Bottleneck(outputs, STEM_CHANNELS) for _ in range(config.blocks - 1)),
        )
        self.transition1 = _transition([outputs], widths[:2])
        self.stage2 = self._stage(config, widths[:2], config.stage_modules[0])
        self.transition2 = _transition(widths[:2], widths[:3])
        self.stage3 = self._stage(config, widths[:3], config.stage_modules[1])
        self.transition3 = _transition(widths[:3], widths)
        self.stage4 = self._stage(config, widths, config.stage_modules[2])

        concatenated, ocr_channels = sum(widths), 2 * config.ocr_width
        self.conv3x3_ocr = nn.Sequential(
            nn.Conv2d(concatenated, ocr_channels, 3, padding=1),
            nn.BatchNorm2d(ocr_channels),
            nn.ReLU(inplace=True),
        )
        self.gather_context: Callable[[Tensor, Tensor], Tensor] = gather_context
        self.ocr_distri_head = ObjectContextHead(ocr_channels, config.ocr_width)
        self.cls_head = nn.Conv2d(ocr_channels, 1, 1)
        self.aux_head = nn.Sequential(
            nn.Conv2d(concatenated, concatenated, 1),
            nn.BatchNorm2d(concatenated),
            nn.ReLU(inplace=True),
            nn.Conv2d(concatenated, 1, 1),
        )

    @staticmethod
    def _stage(config: HRNetConfig, widths: list[int], modules: int) -> nn.Sequential:
        return nn.Sequential(*(ExchangeModule(widths, config.blocks) for _ in range(modules)))

    def forward(self, rgb: Tensor, click_features: Tensor | None) -> tuple[Tensor, Tensor]:
        """Predict at a quarter of the input resolution.

        Args:
            rgb: [B, 3, H, W], normalised with ImageNet statistics.
            click_features: [B, 64, ⌈H/2⌉, ⌈W/2⌉], added after the first convolution; None when
                the clicks are already in `rgb` (DMF).

        Returns:
            Object logits and auxiliary logits, [B, 1, ⌈H/4⌉, ⌈W/4⌉] each.
        """
        return self.heads(self.features(rgb, click_features))

    def features(self, rgb: Tensor, click_features: Tensor | None) -> list[Tensor]:
        """The backbone alone: four branches, the finest at a quarter of the input, each half of
        the one before; arguments as in `forward`.
        """
        x = self.relu(self.bn1(self.conv1(rgb)))
        if click_features is not None:
            x = x + click_features
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.layer1(x)

        branches: list[Tensor] = [transition(x) for transition in self.transition1]
        branches = self.stage2(branches)
        for transitions, stage in (
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            branches = [
                transition(branches[min(index, len(branches) - 1)])
                for index, transition in enumerate(transitions)
            ]
            branches = stage(branches)
        return branches

    def heads(self, branches: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The heads alone: branches of `features` in, both logit maps out."""
        return self.classified(self.concatenated(branches))

    def concatenated(self, branches: list[Tensor]) -> Tensor:
        """All branches at the size of the finest, [B, 15·width, h, w]."""
        size = branches[0].shape[2:]
        return torch.cat([branches[0], *(resize(x, size) for x in branches[1:])], dim=1)

    def with_context(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Concatenated features to those of the OCR head, [B, 2·ocr_width, h, w], and auxiliary
        logits."""
        aux_logits = self.aux_head(features)
        features = self.conv3x3_ocr(features)
        context = self.gather_context(features, aux_logits)
        return self.ocr_distri_head(features, context), aux_logits

    def classified(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Concatenated features to both logit maps."""
        features, aux_logits = self.with_context(features)
        return self.cls_head(features), aux_logits
