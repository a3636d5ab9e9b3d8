"""Counts what PyTorch executes, operation by operation, on shapes alone.

The network runs on PyTorch's "meta" device, where tensors have shapes and no values, under an
observer of every primitive operation: nothing that is executed can be missed.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ritm_edge.model.ritm import ModelConfig, build_model

from .convention import REDUCTION, Count, Rule, by_operation

RULES = by_operation(
    {
        Rule.NORMALISE: "native_batch_norm _native_batch_norm_legit_no_training",
        Rule.RELU: "relu",
        Rule.CLAMP: "hardtanh leaky_relu",  # hardtanh is ReLU6
        Rule.SIGMOID: "sigmoid tanh",
        Rule.SOFTMAX: "_softmax",
        Rule.BILINEAR: "upsample_bilinear2d",
        Rule.CALCULATE: (
            "abs add bitwise_and bitwise_not bitwise_or clamp div eq ge gt le lt logical_and "
            "logical_not logical_or masked_fill maximum minimum mul ne neg pow reciprocal rsub "
            "sqrt square sub where"
        ),
        Rule.REDUCE: "amax amin any max mean min sum",
        Rule.MOVE: (
            "_to_copy _unsafe_view alias arange as_strided cat clone constant_pad_nd copy detach "
            "empty empty_like expand fill flatten full full_like index index_select lift_fresh "
            "linspace ones ones_like permute repeat reshape resize scalar_tensor select slice "
            "split squeeze stack t transpose unsqueeze view zeros zeros_like"
        ),
    }
)
PRODUCTS = ("mm", "bmm", "addmm")


@dataclass(frozen=True)
class ModelCount:
    """One network: all trainable values, those of batch normalisations included; every operation of
    a forward pass; and FLOPs by the paper's convention, see `published_flops`."""

    config: ModelConfig
    parameters: int
    count: Count
    published_flops: int


def count_model(config: ModelConfig, size: tuple[int, int], *, max_clicks: int = 1) -> ModelCount:
    """Count one forward pass of batch 1 and of `size` (H, W) pixels, with so many click slots of
    each sign; the weights do not matter."""
    with torch.device("meta"):
        network = build_model(**config.as_dict()).eval()  # type: ignore[arg-type]
        image = torch.empty(1, 3, *size)
        clicks = torch.empty(1, 2 * max_clicks, 3)
        prev_mask = torch.empty(1, 1, *size) if config.prev_mask else None
        with _Observer() as observer, torch.no_grad():
            network(image, clicks, prev_mask)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return ModelCount(config, parameters, observer.count, 2 * observer.published_macs)


class _Observer(TorchDispatchMode):
    """Counts each primitive operation as it is executed.

    `published_macs` follows the convention that reproduces the paper's Table 4 to its last digit:
    a convolution's MACs and its bias, matrix products, 2 for every element of a batch
    normalisation, 1 for every input of a mean; nothing else.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.count = Count()
        self.published_macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.removesuffix("_")  # one in place counts the same
        first = result[0] if isinstance(result, tuple | list) else result
        if isinstance(first, Tensor):
            self._add(name, args, first)
        return result

    def _add(self, name: str, args: Any, result: Tensor) -> None:
        if name == "convolution":
            self._add_convolution(args, result)
        elif name in PRODUCTS:
            biased = name == "addmm"
            inner = args[1 if biased else 0].shape[-1]
            self.count.add_product(result.shape, inner=inner, per_element=int(biased))
            self.published_macs += result.numel() * inner
        elif name == "max_pool2d_with_indices":
            self.count.add_elements(REDUCTION, result.shape, prod(args[1]))
        elif name in RULES:
            rule = RULES[name]
            self.count.add_by_rule(rule, args[0].shape if rule.of_input else result.shape)
            if rule is Rule.NORMALISE:
                self.published_macs += 2 * result.numel()
            elif name == "mean":
                self.published_macs += args[0].numel()
        else:
            raise NotImplementedError(f"no convention for PyTorch's {name}")

    def _add_convolution(self, args: Any, result: Tensor) -> None:
        weight, bias, groups = args[1], args[2], args[8]
        self.count.add_convolution(
            result.shape,
            channels=weight.shape[0],
            window=prod(weight.shape[2:]),
            inputs=weight.shape[1],
            groups=groups,
            bias=bias is not None,
        )
        self.published_macs += result.numel() * weight[0].numel()
        if bias is not None:
            self.published_macs += result.numel()
