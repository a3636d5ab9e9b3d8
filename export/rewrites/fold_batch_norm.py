"""Batch norm behind a convolution becomes part of its weights.

Most converters do the same; here it is done in float64, once for all targets, and it leaves the
plain convolutions that other passes cut and move.
"""

import itertools

import torch
from torch import nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.layers import BatchNormReLU

from .graph import RewritableGraph, Rewrite


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:  # noqa: ARG001, the size does not matter
    """Fold every batch norm that follows a convolution in a sequence, or as `bnX` after `convX`."""
    folded = 0
    for module in list(graph.modules()):
        for convolution, owner, name in _pairs(module):
            setattr(owner, name, _folded(convolution, getattr(owner, name)))
            folded += 1
    return folded > 0


def _pairs(module: nn.Module) -> list[tuple[nn.Conv2d, nn.Module, str]]:
    """(convolution, module that holds its batch norm, name of the batch norm in it)."""
    children = dict(module.named_children())
    pairs: list[tuple[nn.Conv2d, nn.Module, str]] = []
    if isinstance(module, nn.Sequential):
        for index, (first, second) in enumerate(itertools.pairwise(module)):
            if not isinstance(first, nn.Conv2d):
                continue
            if isinstance(second, nn.BatchNorm2d):
                pairs.append((first, module, str(index + 1)))
            elif isinstance(second, BatchNormReLU) and isinstance(second[0], nn.BatchNorm2d):
                pairs.append((first, second, "0"))
        return pairs
    for name, child in children.items():
        partner = name.replace("conv", "bn", 1)
        if isinstance(child, nn.Conv2d) and isinstance(children.get(partner), nn.BatchNorm2d):
            pairs.append((child, module, partner))
    return pairs


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Module:
    """Fold `norm` into `convolution`; what is left of it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        bias = 0.0 if convolution.bias is None else convolution.bias.double()
        shift = norm.bias.double() + gain * (bias - norm.running_mean.double())
        weight = convolution.weight.double() * gain[:, None, None, None]
        convolution.weight = nn.Parameter(weight.float(), requires_grad=False)
        convolution.bias = nn.Parameter(shift.float(), requires_grad=False)
    return nn.Identity()


REWRITE = Rewrite("fold_batch_norm", apply)
