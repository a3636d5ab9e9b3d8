"""Graphs that are no artifacts yet, opened without a self-description."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.artifacts.tflite import read_flatbuffer
from ritm_edge.export.rewrites.graph import RewritableGraph

if TYPE_CHECKING:
    from ritm_edge.artifacts.mlprogram.evaluator import Program


def open_program(path: Path) -> "Program":
    """The ML Program of an .mlpackage."""
    from ritm_edge.artifacts.mlprogram.evaluator import Program

    return Program(open_package(path))


def operations(program: "Program") -> Counter[str]:
    """How often each kind of operation occurs in an ML Program."""
    return Counter(step.operation.name for step in program._compiled.steps)


def flatbuffer_of(path: Path) -> bytes:
    """The content of a .tflite file, with or without a checksum."""
    return read_flatbuffer(path, allow_changed=True)


def run_tflite(path: Path, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Outputs of a converted graph by name; arrays NCHW where they have four axes."""
    from ritm_edge.runtimes.tflite import TFLiteGraph

    graph = TFLiteGraph(path, flatbuffer_of(path))
    return graph.run({name: np.asarray(array) for name, array in inputs.items()})


class ClickMaps(nn.Module):
    """The click maps of a graph alone, [1, 2, H, W]: exported to prove them bit-equal."""

    def __init__(self, graph: RewritableGraph, height: int, width: int) -> None:
        super().__init__()
        self.encode_clicks = graph.encode_clicks
        self.height, self.width = height, width

    def forward(self, clicks: Tensor) -> Tensor:
        maps: Tensor = self.encode_clicks(clicks, self.height, self.width)
        return maps
