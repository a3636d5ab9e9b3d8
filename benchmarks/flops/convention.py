"""What counts as how many floating-point operations, the same for every runtime.

One multiply-accumulate (MAC) is 2 FLOPs. Everything else is counted per element, by the table
below; moving data (concatenate, slice, pad, transpose, cast, …) is free. Integer arithmetic of
quantised graphs is counted like the floating-point arithmetic it stands for. What depends on
constants alone, as unpacking compressed weights, is done once when a file is opened and not
counted.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

CONVOLUTION = "convolution"
DEPTHWISE = "depthwise convolution"
PRODUCT = "matrix product"
NORMALISATION = "batch normalisation"
ACTIVATION = "activation"
ARITHMETIC = "element-wise arithmetic"
RESIZE = "resize"
REDUCTION = "pooling and reduction"
SOFTMAX = "softmax"
QUANTISATION = "quantisation"
MOVEMENT = "data movement"

RELU_FLOPS = 1  # one comparison
CLAMP_FLOPS = 2  # two comparisons (ReLU6, clip) or a comparison and a product (leaky ReLU)
SIGMOID_FLOPS = 4  # negate, exponential, add, divide
SOFTMAX_FLOPS = 5  # maximum, subtract, exponential, sum, divide
NORMALISATION_FLOPS = 4  # subtract mean, divide by deviation, scale, shift
BILINEAR_FLOPS = 7  # four products and three sums
QUANTISE_FLOPS = 2  # scale and round, or subtract and scale

Shape = Sequence[int]


@dataclass
class Work:
    """Of one kind of layer: how many layers, their MACs, all their FLOPs."""

    layers: int = 0
    macs: int = 0
    flops: int = 0


@dataclass
class Count:
    """What one network does for one input.

    Attributes:
        kinds: kind of layer → work.
        parameters: weights and biases of convolutions and matrix products.
    """

    kinds: dict[str, Work] = field(default_factory=dict)
    parameters: int = 0

    def add(self, kind: str, *, macs: int = 0, flops: int = 0) -> None:
        """One layer: `flops` besides those of its MACs."""
        work = self.kinds.setdefault(kind, Work())
        work.layers += 1
        work.macs += macs
        work.flops += 2 * macs + flops

    def add_convolution(
        self, output: Shape, *, window: int, inputs: int, groups: int, bias: bool
    ) -> None:
        """One convolution.

        Args:
            output: shape of its result.
            window: positions of the kernel, 9 for 3×3.
            inputs: input channels of one group.
            groups: their number.
            bias: whether one is added to every output.
        """
        outputs = prod(output)
        depthwise = inputs == 1 and groups > 1
        self.add(
            DEPTHWISE if depthwise else CONVOLUTION,
            macs=outputs * window * inputs,
            flops=outputs if bias else 0,
        )

    def add_elements(self, kind: str, shape: Shape, per_element: int) -> None:
        """One layer that does `per_element` FLOPs for each element of `shape`."""
        self.add(kind, flops=prod(shape) * per_element)

    @property
    def macs(self) -> int:
        return sum(work.macs for work in self.kinds.values())

    @property
    def flops(self) -> int:
        return sum(work.flops for work in self.kinds.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values; kinds by decreasing FLOPs."""
        ordered = sorted(self.kinds.items(), key=lambda item: (-item[1].flops, item[0]))
        return {
            "parameters": self.parameters,
            "macs": self.macs,
            "flops": self.flops,
            "kinds": {kind: asdict(work) for kind, work in ordered},
        }
