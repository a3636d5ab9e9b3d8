"""Counts the operations of an .mlpackage with the project's own reader of ML Programs."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.artifacts.mlprogram.problems import problems_of
from ritm_edge.artifacts.mlprogram.program import Compiled, Step, compile_program

from .convention import REDUCTION, Count, Rule, by_operation, rule_of

RULES = by_operation(
    {
        Rule.RELU: "relu",
        Rule.CLAMP: "clip leaky_relu",
        Rule.SIGMOID: "sigmoid tanh",
        Rule.SOFTMAX: "softmax",
        Rule.BILINEAR: "upsample_bilinear",
        Rule.CALCULATE: "abs add ceil floor less less_equal maximum mul real_div select sqrt sub",
        Rule.REDUCE: "reduce_mean reduce_min",
        Rule.MOVE: "cast concat expand_dims fill_like pad reshape slice_by_index tile transpose",
    }
)

WINDOWS = ("avg_pool", "max_pool")
Shape = tuple[int, ...]


def count_mlprogram(path: Path) -> Count:
    """Count one run of an artifact that its runtime has opened already. Raises ArtifactError:
    damaged; UnsupportedOperationError: an operation without a convention, or that the reader
    lacks."""
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
        kind, result = step.operation.name, step.declared.shape
        self.shapes[step.name] = result
        if step.operation.constant:
            self.constants[step.name] = result
            return
        if kind == "conv":
            self._add_convolution(step, result)
        elif kind == "matmul":
            self._add_product(step, result)
        elif kind in WINDOWS:
            self.count.add_elements(REDUCTION, result, prod(step.constants["kernel_sizes"]))
        else:
            rule = rule_of(kind, RULES, self.path)
            self.count.add_by_rule(rule, self._shape(step, "x") if rule.of_input else result)

    def _add_convolution(self, step: Step, result: Sequence[int]) -> None:
        weight = self._shape(step, "weight")
        self.count.add_convolution(
            result,
            channels=weight[0],
            window=prod(weight[2:]),
            inputs=weight[1],
            groups=step.constants.get("groups", 1),
            bias="bias" in step.tensors,
        )

    def _add_product(self, step: Step, result: Sequence[int]) -> None:
        shape = self._shape(step, "x")
        inner = shape[-2] if step.constants.get("transpose_x") else shape[-1]
        self.count.add_product(result, inner=inner)
        names = [name for name in step.tensors.values() if isinstance(name, str)]
        self.count.parameters += sum(
            prod(self.constants[name]) for name in names if name in self.constants
        )

    def _shape(self, step: Step, key: str) -> Shape:
        name = step.tensors[key]
        assert isinstance(name, str)  # the operation's signature says so
        return self.shapes[name]
