"""Finds the click encoding in an ONNX graph: the part that must stay exact in every precision."""

from dataclasses import dataclass
from typing import Any

from ritm_edge.io_spec import CLICKS

# Where click maps stop being geometry and start being features.
FEATURE_OPERATIONS = ("Conv", "QuantizeLinear", "DynamicQuantizeLinear")


@dataclass(frozen=True)
class ClickSubgraph:
    """Operations whose only variable input are the clicks.

    Attributes:
        nodes: the operations, in graph order.
        tensors: everything they write, and the clicks themselves.
        maps: those of `tensors` that the rest of the graph reads.
        constants: weights, sizes of inputs, and tensors computed from nothing else.
    """

    nodes: list[Any]
    tensors: set[str]
    maps: set[str]
    constants: set[str]


def find_click_subgraph(graph: Any) -> ClickSubgraph:
    """Everything from the clicks to the first convolution, to integers, or to another input, in an
    ONNX `GraphProto` in topological order."""
    constants = {tensor.name for tensor in graph.initializer} | {""}
    tensors = {CLICKS}
    nodes: list[Any] = []
    maps: set[str] = set()
    for node in graph.node:
        variable = set(node.input) - constants
        # Where height and width are open, coordinates count up to those of the image.
        if not variable or node.op_type == "Shape":
            constants |= set(node.output)
        elif variable <= tensors and node.op_type not in FEATURE_OPERATIONS:
            nodes.append(node)
            tensors |= set(node.output)
        else:
            maps |= variable & tensors
    return ClickSubgraph(nodes, tensors, maps, constants)
