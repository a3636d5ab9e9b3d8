"""Graphs that are no artifacts yet, opened without a self-description."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import nn

from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.artifacts.tflite import read_flatbuffer


def open_program(path: Path):
    """The ML Program of an .mlpackage."""
    from ritm_edge.artifacts.mlprogram.evaluator import Program

    return Program(open_package(path))


def flatbuffer_of(path: Path) -> bytes:
    """The content of a .tflite file, with or without a checksum."""
    return read_flatbuffer(path, allow_changed=True)


def run_tflite(path: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs of a converted graph by name; arrays NCHW where they have four axes."""
    from ritm_edge.runtimes.tflite import TFLiteGraph

    graph = TFLiteGraph(path, flatbuffer_of(path))
    return graph.run({name: np.asarray(array) for name, array in inputs.items()})


class ClickMaps(nn.Module):
    """The click maps of a graph alone, [1, 2, H, W]: exported to prove them bit-equal."""

    def __init__(self, graph, height, width):
        super().__init__()
        self.encode_clicks = graph.encode_clicks
        self.height, self.width = height, width

    def forward(self, clicks):
        return self.encode_clicks(clicks, self.height, self.width)
