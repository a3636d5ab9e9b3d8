"""Counts the operations of an .ncnn file; its shapes are fixed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ritm_edge.artifacts.ncnn import INPUT, Layer, NcnnFile, parse_layers
from ritm_edge.runtimes.ncnn import NcnnGraph

from .convention import REDUCTION, Count, Rule, Shape, by_operation, rule_of

RULES = by_operation(
    {
        Rule.RELU: "ReLU",
        Rule.CLAMP: "Clip",
        Rule.SIGMOID: "Sigmoid TanH",
        Rule.SOFTMAX: "Softmax",
        Rule.BILINEAR: "Interp",
        Rule.CALCULATE: "BinaryOp UnaryOp",
        Rule.REDUCE: "Reduction",
        Rule.MOVE: "Concat Crop ExpandDims Padding Permute Reshape Slice Squeeze Tile",
    }
)
CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise")
# What a convolution or product does to its result, by number.
FUSED = {"1": Rule.RELU, "2": Rule.CLAMP, "3": Rule.CLAMP}
# A Split only gives one array several names.
ENDS = (INPUT, "MemoryData", "Split")


def count_ncnn(path: Path) -> Count:
    """Count one run of an artifact that its runtime has opened already. Raises ArtifactError:
    damaged; UnsupportedOperationError: a layer without a convention; the message names it."""
    file = NcnnFile.read(path, allow_changed=True)
    graph = NcnnGraph(path, file)
    layers = parse_layers(file.graph.decode())
    # The file has no shapes but those of its inputs: run it and look.
    empty = {name: np.zeros(shape, np.float32) for name, shape in graph.inputs.items()}
    names = [name for layer in layers for name in layer.outputs]
    shapes = {name: array.shape for name, array in graph.run(empty, names)}
    count = Count()
    for layer in layers:
        if layer.kind not in ENDS:
            _add(count, layer, shapes, path)
    return count


def _add(count: Count, layer: Layer, shapes: Mapping[str, Shape], path: Path) -> None:
    source, result = shapes[layer.inputs[0]], shapes[layer.outputs[0]]
    settings = layer.settings
    if layer.kind in CONVOLUTIONS:
        channels, width, groups = (int(settings.get(key, "1")) for key in ("0", "1", "7"))
        window = width * int(settings.get("11", width))
        count.add_convolution(
            result,
            channels=channels,
            window=window,
            inputs=int(settings["6"]) // (channels * window),
            groups=groups,
            bias=settings.get("5") == "1",
        )
    elif layer.kind == "InnerProduct":
        # Of a 1×1 convolution of one pixel.
        channels, weights = int(settings["0"]), int(settings["2"])
        count.add_convolution(
            result,
            channels=channels,
            window=1,
            inputs=weights // channels,
            groups=1,
            bias=settings.get("1") == "1",
        )
    elif layer.kind == "MatMul":
        count.add_product(result, inner=source[-1])
    elif layer.kind == "Pooling" and not {"4", "7"} & settings.keys():  # of neither the whole image
        width = int(settings["1"])
        count.add_elements(REDUCTION, result, width * int(settings.get("11", width)))
    else:
        rule = Rule.REDUCE if layer.kind == "Pooling" else rule_of(layer.kind, RULES, path)
        count.add_by_rule(rule, source if rule.of_input else result)
    if layer.kind in (*CONVOLUTIONS, "InnerProduct") and settings.get("9") in FUSED:
        count.add_by_rule(FUSED[settings["9"]], result)
