"""Counts the operations of an .mlpackage with the project's own reader of ML Programs."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

from ritm_edge.errors import UnsupportedOperationError
from ritm_edge.mlprogram.package import open_package
from ritm_edge.mlprogram.problems import problems_of
from ritm_edge.mlprogram.program import Compiled, Step, compile_program

from .convention import (
    ACTIVATION,
    ARITHMETIC,
    BILINEAR_FLOPS,
    CLAMP_FLOPS,
    MOVEMENT,
    NORMALISATION,
    NORMALISATION_FLOPS,
    PRODUCT,
    REDUCTION,
    RELU_FLOPS,
    RESIZE,
    SIGMOID_FLOPS,
    SOFTMAX,
    SOFTMAX_FLOPS,
    Count,
)

# Operation → kind and FLOPs per element of its result.
BY_RESULT = {
    "batch_norm": (NORMALISATION, NORMALISATION_FLOPS),
    "relu": (ACTIVATION, RELU_FLOPS),
    "relu6": (ACTIVATION, CLAMP_FLOPS),
    "clip": (ACTIVATION, CLAMP_FLOPS),
    "leaky_relu": (ACTIVATION, CLAMP_FLOPS),
    "prelu": (ACTIVATION, CLAMP_FLOPS),
    "sigmoid": (ACTIVATION, SIGMOID_FLOPS),
    "sigmoid_hard": (ACTIVATION, SIGMOID_FLOPS),
    "silu": (ACTIVATION, SIGMOID_FLOPS + 1),
    "tanh": (ACTIVATION, SIGMOID_FLOPS),
    "softmax": (SOFTMAX, SOFTMAX_FLOPS),
    "resize_bilinear": (RESIZE, BILINEAR_FLOPS),
    "upsample_bilinear": (RESIZE, BILINEAR_FLOPS),
    "upsample_nearest_neighbor": (RESIZE, 0),
    **dict.fromkeys(
        "abs add ceil equal exp floor greater greater_equal inverse less less_equal logical_and "
        "logical_not logical_or logical_xor maximum minimum mul not_equal pow real_div rsqrt "
        "select sign sqrt square sub".split(),
        (ARITHMETIC, 1),
    ),
}
BY_INPUT = {
    "reduce_max": 1,
    "reduce_mean": 1,
    "reduce_min": 1,
    "reduce_sum": 1,
    "reduce_sum_square": 2,
}
WINDOWS = ("avg_pool", "max_pool")
FREE = tuple(
    "cast concat expand_dims fill fill_like flatten2d identity pad reshape reverse slice_by_index "
    "slice_by_size split squeeze stack tile transpose".split()
)

Shape = tuple[int, ...]


def count_mlprogram(path: Path) -> Count:
    """Count one run.

    Args:
        path: of an .mlpackage.

    Raises:
        ArtifactError: damaged.
        UnsupportedOperationError: an operation without a convention, or that the reader lacks.
    """
    package = open_package(path)
    with problems_of(path):
        program = compile_program(package.program, package.weights)
    graph = _Graph(program, path)
    for step in program.steps:
        graph.add(step)
    return graph.count


class _Graph:
    def __init__(self, program: Compiled, path: Path) -> None:
        self.count = Count()
        self.path = path
        self.constants = {name: tuple(value.shape) for name, value in program.weights.items()}
        self.shapes: dict[str, Shape] = self.constants | {
            name: declared.shape for name, declared in program.inputs.items()
        }

    def add(self, step: Step) -> None:
        self.shapes |= {name: declared.shape for name, declared in step.outputs}
        kind, result = step.operation.name, step.outputs[0][1].shape
        if kind == "conv":
            self._add_convolution(step, result)
        elif kind in ("matmul", "linear"):
            self._add_product(step, result)
        elif kind in BY_RESULT:
            name, per_element = BY_RESULT[kind]
            self.count.add_elements(name, result, per_element)
        elif kind in BY_INPUT:
            self.count.add_elements(REDUCTION, self._shape(step, "x"), BY_INPUT[kind])
        elif kind in WINDOWS:
            window = prod(step.constants["kernel_sizes"])
            self.count.add_elements(REDUCTION, result, window)
        elif kind in FREE:
            self.count.add(MOVEMENT)
        else:
            raise UnsupportedOperationError(
                f"{self.path} contains the operation '{kind}', which bench flops cannot count: "
                "leave the file out or export it again."
            )

    def _add_convolution(self, step: Step, result: Sequence[int]) -> None:
        weight = self._shape(step, "weight")
        bias = "bias" in step.tensors
        self.count.add_convolution(
            result,
            window=prod(weight[2:]),
            inputs=weight[1],
            groups=step.constants.get("groups", 1),
            bias=bias,
        )
        self.count.parameters += prod(weight) + (weight[0] if bias else 0)

    def _add_product(self, step: Step, result: Sequence[int]) -> None:
        shape = self._shape(step, "x")
        inner = shape[-2] if step.constants.get("transpose_x") else shape[-1]
        bias = "bias" in step.tensors
        self.count.add(PRODUCT, macs=prod(result) * inner, flops=prod(result) if bias else 0)
        names = [name for name in step.tensors.values() if isinstance(name, str)]
        self.count.parameters += sum(
            prod(self.constants[name]) for name in names if name in self.constants
        )

    def _shape(self, step: Step, key: str) -> Shape:
        name = step.tensors[key]
        assert isinstance(name, str)  # the operation's signature says so
        return self.shapes[name]
