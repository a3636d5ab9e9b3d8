"""Division by 255, by the standard deviation, and |scale| of click branches move into weights.

Subtracting the mean stays: a convolution pads with zeros, and zero means "mean colour" only after
the subtraction. Folded into a bias, it would be wrong along the border.
"""

import torch
from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.efficientnet_lite import LiteNetwork
from ritm_edge.model.hrnet import HRNetOCR
from ritm_edge.model.layers import AbsoluteScale

from .graph import RewritableGraph, Rewrite

WHITE = 255.0


class SubtractMean(nn.Module):
    """Photo [B, 3, H, W] in 0…255 minus the mean colour, still in steps of 1/255."""

    mean: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", (mean.double() * WHITE).float())

    def forward(self, image: Tensor) -> Tensor:
        return image - self.mean


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:  # noqa: ARG001, the size does not matter
    """Fold what the architecture allows."""
    photo = _fold_photo(graph)
    return _fold_click_scales(graph) or photo


def _fold_photo(graph: RewritableGraph) -> bool:
    model = graph.model
    if model.config.input_scheme == "dmf":
        first = model.rgb_conv[0]
    elif isinstance(model.feature_extractor, HRNetOCR):
        first = model.feature_extractor.conv1
    elif isinstance(model.feature_extractor, LiteNetwork):
        first = model.feature_extractor.stem[0]
    else:
        return False
    assert isinstance(first, nn.Conv2d)
    # The three colours are the first inputs; those of the click maps, if any, stay as they are.
    weight = first.weight.detach().double()
    weight[:, :3] /= WHITE * model.std.double().view(1, 3, 1, 1)
    first.weight = nn.Parameter(weight.float(), requires_grad=False)
    graph.normalise = SubtractMean(model.mean)
    return True


def _fold_click_scales(graph: RewritableGraph) -> bool:
    branches = [
        module
        for module in graph.model.modules()
        if isinstance(module, nn.Sequential) and isinstance(module[-1], AbsoluteScale)
    ]
    for branch in branches:
        convolution, scale = branch[-2], branch[-1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(scale, AbsoluteScale)
        assert convolution.bias is not None
        with torch.no_grad():
            gain = scale.scale.detach().abs().double()
            convolution.weight = nn.Parameter((convolution.weight.double() * gain).float(), False)
            convolution.bias = nn.Parameter((convolution.bias.double() * gain).float(), False)
        branch[-1] = nn.Identity()
    return bool(branches)


REWRITE = Rewrite("fold_scales", apply)
