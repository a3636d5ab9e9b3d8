"""With one object class the OCR attention is always 1: its query and key path is removed.

A softmax over one class is 1 whatever its input. What every pixel attends to is then the one
context vector of the image, and the half of the last convolution that reads it gives one number
per channel and image: a bias.
"""

from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.hrnet import HRNetOCR
from ritm_edge.model.ocr import ObjectContextHead

from .graph import RewritableGraph, Rewrite


class ContextBias(nn.Module):
    """`ObjectContextHead` for one class."""

    def __init__(self, head: ObjectContextHead) -> None:
        super().__init__()
        block = head.object_context_block
        mix = head.conv_bn_dropout[0]
        assert isinstance(mix, nn.Conv2d)
        channels = mix.out_channels
        # The concatenation is (context, pixels).
        of_context = _part(mix, slice(0, channels), bias=True)
        self.object_context_block = nn.Sequential(block.f_down, block.f_up, of_context)
        self.of_pixels = _part(mix, slice(channels, 2 * channels), bias=False)
        self.rest = head.conv_bn_dropout[1:]

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """[B, C, H, W] and [B, C, 1, 1] to [B, C, H, W]."""
        mixed: Tensor = self.rest(self.of_pixels(features) + self.object_context_block(context))
        return mixed


def _part(mix: nn.Conv2d, inputs: slice, *, bias: bool) -> nn.Conv2d:
    weight = mix.weight.detach()[:, inputs]
    part = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=bias and mix.bias is not None)
    part.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if part.bias is not None and mix.bias is not None:
        part.bias = nn.Parameter(mix.bias.detach().clone(), requires_grad=False)
    return part


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:  # noqa: ARG001, the size does not matter
    """Replace the context head of an HRNet with OCR and one class."""
    network = graph.model.feature_extractor
    if not isinstance(network, HRNetOCR) or network.cls_head.out_channels != 1:
        return False
    network.ocr_distri_head = ContextBias(network.ocr_distri_head)  # type: ignore[assignment]
    return True


REWRITE = Rewrite("drop_dead_attention", apply)
