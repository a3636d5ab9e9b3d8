"""How many floating-point operations each operation counts as, for every runtime.

One multiply-accumulate (MAC) is 2 FLOPs. Everything else is counted per element, by the rules
below; moving data (concatenate, slice, pad, transpose, cast, …) is free. Integer arithmetic of
quantised graphs is counted like the floating-point arithmetic it stands for. What depends on
constants alone, as unpacking compressed weights, is done once when a file is opened and not
counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum, unique
from math import prod
from pathlib import Path
from typing import Any

from ritm_edge.errors import UnsupportedOperationError

CONVOLUTION = "convolution"
DEPTHWISE = "depthwise convolution"
PRODUCT = "matrix product"
ACTIVATION = "activation"
ARITHMETIC = "element-wise arithmetic"
RESIZE = "resize"
REDUCTION = "pooling and reduction"
QUANTISATION = "quantisation"

Shape = Sequence[int]


@unique
class Rule(Enum):
    """What an operation counts as if its name decides it: so many FLOPs per element of its first
    input (`of_input`) or else of its first result."""

    NORMALISE = ("batch normalisation", 4)  # subtract mean, divide by deviation, scale, shift
    RELU = (ACTIVATION, 1)  # one comparison
    CLAMP = (ACTIVATION, 2)  # two comparisons (ReLU6, clip) or one and a product (leaky ReLU)
    SIGMOID = (ACTIVATION, 4)  # negate, exponential, add, divide
    SILU = (ACTIVATION, 5)  # a sigmoid and a product
    SOFTMAX = ("softmax", 5)  # maximum, subtract, exponential, sum, divide
    BILINEAR = (RESIZE, 7)  # four products and three sums
    NEAREST = (RESIZE, 0)
    QUANTISE = (QUANTISATION, 2)  # scale and round, or subtract and scale
    FAKE_QUANTISE = (QUANTISATION, 4)  # to the grid of integers and back
    CALCULATE = (ARITHMETIC, 1)
    SQUARED_DIFFERENCE = (ARITHMETIC, 2)
    REDUCE = (REDUCTION, 1, True)
    SUM_OF_SQUARES = (REDUCTION, 2, True)
    MOVE = ("data movement", 0)

    def __init__(self, kind: str, per_element: int, of_input: bool = False) -> None:
        self.kind = kind
        self.per_element = per_element
        self.of_input = of_input


def by_operation(names: Mapping[Rule, str]) -> dict[str, Rule]:
    """Operation → rule, from the names of each rule's operations, separated by spaces."""
    return {name: rule for rule, joined in names.items() for name in joined.split()}


def rule_of(operation: str, rules: Mapping[str, Rule], path: Path) -> Rule:
    """The rule of one operation of the file `path`. Raises UnsupportedOperationError: it has
    none."""
    rule = rules.get(operation)
    if rule is None:
        raise UnsupportedOperationError(
            f"{path} contains the operation '{operation}', which bench flops cannot count: leave "
            "the file out or export it again."
        )
    return rule


@dataclass
class Work:
    """Of one kind of layer: how many layers, their MACs, all their FLOPs."""

    layers: int = 0
    macs: int = 0
    flops: int = 0


@dataclass
class Count:
    """What one network does for one input, by kind of layer; `parameters` are weights and biases of
    convolutions and matrix products."""

    kinds: dict[str, Work] = field(default_factory=dict)
    parameters: int = 0

    def add(self, kind: str, *, macs: int = 0, flops: int = 0) -> None:
        """One layer: `flops` besides those of its MACs."""
        work = self.kinds.setdefault(kind, Work())
        work.layers += 1
        work.macs += macs
        work.flops += 2 * macs + flops

    def add_convolution(
        self, output: Shape, *, channels: int, window: int, inputs: int, groups: int, bias: bool
    ) -> None:
        """One convolution and its parameters: `window` positions of the kernel (9 for 3×3),
        `inputs` channels of one group, and whether a bias is added to every output."""
        outputs = prod(output)
        depthwise = inputs == 1 and groups > 1
        self.add(
            DEPTHWISE if depthwise else CONVOLUTION,
            macs=outputs * window * inputs,
            flops=outputs if bias else 0,
        )
        self.parameters += channels * (window * inputs + bias)

    def add_product(self, output: Shape, *, inner: int, per_element: int = 0) -> None:
        """One matrix product: `inner` MACs of each element, and FLOPs per element besides, as 1 for
        a bias."""
        elements = prod(output)
        self.add(PRODUCT, macs=elements * inner, flops=elements * per_element)

    def add_elements(self, kind: str, shape: Shape, per_element: int) -> None:
        """One layer that does `per_element` FLOPs for each element of `shape`."""
        self.add(kind, flops=prod(shape) * per_element)

    def add_by_rule(self, rule: Rule, shape: Shape) -> None:
        """One layer, on the elements that the rule speaks of."""
        self.add_elements(rule.kind, shape, rule.per_element)

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
