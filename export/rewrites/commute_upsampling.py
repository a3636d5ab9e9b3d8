"""The heads' first convolutions run on the coarse branches before these are upsampled.

The baseline graph upsamples three branches to the finest one's size, concatenates them and
convolves the result: 1×1 for the auxiliary head, 3×3 for the context head. Convolution and
interpolation are linear, so the coarsest branches, which are most of the channels and 1/16 and
1/64 of the pixels, are convolved where they are. A 3×3 kernel commutes in parts: along a row after
widening, and each of its three rows with the height matrix shifted by one (zeros enter at the
border, as its padding does).
"""

from typing import cast

import torch
from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.hrnet import ExchangeModule, HRNetOCR
from ritm_edge.model.layers import BasicBlock, resize

from .graph import RewritableGraph, Rewrite
from .interpolation import SumHeights, branch_sizes, matrix, shifted

# Branches that are upsampled first all the same: for the second, a quarter of the pixels, the parts
# of a 3×3 kernel cost as much as the whole.
NEAR = 2


class SplitConvolution(nn.Module):
    """A convolution of concatenated, upsampled branches, with the coarse ones taken apart.

    Args:
        convolution: 1×1 or 3×3 with padding 1, stride 1.
        channels: of each branch, finest first.
        sizes: (H, W) of each branch.
    """

    def __init__(
        self, convolution: nn.Conv2d, channels: list[int], sizes: list[tuple[int, int]]
    ) -> None:
        super().__init__()
        rows = convolution.kernel_size[0]
        weights = convolution.weight.detach().split(channels, dim=1)
        self.near = _convolution(torch.cat(weights[:NEAR], dim=1), convolution.bias)
        height = sizes[0][0]
        self.far = nn.ModuleList(
            nn.ModuleList(_convolution(weight[:, :, row : row + 1], None) for row in range(rows))
            for weight in weights[NEAR:]
        )
        self.sum_heights = SumHeights(
            [
                shifted(matrix(height, source), row - rows // 2)
                for source, _ in sizes[NEAR:]
                for row in range(rows)
            ]
        )

    def forward(self, near: Tensor, far: list[Tensor]) -> Tensor:
        """Fine branches [B, C, H, W] and widened ones [B, C_i, h_i, W] to [B, outputs, H, W]."""
        parts = [
            convolution(x)
            for x, convolutions in zip(far, self.far, strict=True)
            for convolution in convolutions  # type: ignore[attr-defined]
        ]
        result: Tensor = self.near(near) + self.sum_heights(parts)
        return result


def _convolution(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    outputs, inputs, *kernel = weight.shape
    padding = (kernel[0] // 2, kernel[1] // 2)
    result = nn.Conv2d(
        inputs, outputs, (kernel[0], kernel[1]), padding=padding, bias=bias is not None
    )
    result.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if bias is not None:
        result.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return result


class CommutedHeads(nn.Module):
    """`HRNetOCR` whose heads read the coarse branches at their own size."""

    def __init__(self, network: HRNetOCR, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.network = network
        channels = _branch_channels(network)
        self.widened = [(height, sizes[0][1]) for height, _ in sizes[NEAR:]]
        self.for_aux = SplitConvolution(_first(network.aux_head), channels, sizes)
        self.for_context = SplitConvolution(_first(network.conv3x3_ocr), channels, sizes)
        # Their first convolutions live on in the two above; the names are the checkpoint's.
        self.aux_head = network.aux_head[1:]
        self.conv3x3_ocr = network.conv3x3_ocr[1:]

    def forward(self, rgb: Tensor, click_features: Tensor | None) -> tuple[Tensor, Tensor]:
        branches = self.network.features(rgb, click_features)
        size = branches[0].shape[2:]
        near = torch.cat([branches[0], *(resize(x, size) for x in branches[1:NEAR])], dim=1)
        # Not a product with a matrix: in TFLite it would be one of a matrix and a batch, which
        # LiteRT's GPU accelerator computes wrong.
        far = [resize(x, to) for x, to in zip(branches[NEAR:], self.widened, strict=True)]
        aux_logits = self.aux_head(self.for_aux(near, far))
        features = self.conv3x3_ocr(self.for_context(near, far))
        context = self.network.gather_context(features, aux_logits)
        features = self.network.ocr_distri_head(features, context)
        return self.network.cls_head(features), aux_logits


def _first(head: nn.Sequential) -> nn.Conv2d:
    convolution = head[0]
    assert isinstance(convolution, nn.Conv2d)
    return convolution


def _branch_channels(network: HRNetOCR) -> list[int]:
    last = cast(ExchangeModule, network.stage4[-1])
    blocks = [cast(BasicBlock, cast(nn.Sequential, branch)[0]) for branch in last.branches]
    return [block.conv1.in_channels for block in blocks]


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:
    """Take the heads of an HRNet with OCR apart, where the size is fixed."""
    network = graph.model.feature_extractor
    if spec.size is None or not isinstance(network, HRNetOCR):
        return False
    graph.model.feature_extractor = CommutedHeads(network, branch_sizes(*spec.size))
    return True


REWRITE = Rewrite("commute_upsampling", apply)
