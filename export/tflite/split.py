"""Cuts the click encoding off an ONNX graph, so that onnx2tf sees nothing but images.

onnx2tf turns images into NHWC but must leave the clicks, and all that is computed from them, as
they are; it would have to guess, from shapes, which is which. `click_maps` takes the first half.
"""

from typing import Any

from ritm_edge.errors import ConversionError
from ritm_edge.io_spec import CLICKS
from ritm_edge.optional import require

from ..click_subgraph import find_click_subgraph

CLICK_MAPS = "click_maps"


def split_at_click_maps(source: Any) -> list[Any]:
    """The parts of a graph, in the order in which they run.

    Args:
        source: an ONNX `ModelProto` of static shapes.

    Returns:
        Two of them, clicks → `click_maps` [1, 2, H, W] and the rest; `source` alone where the whole
        graph is the click encoding, or has no clicks.

    Raises:
        ConversionError: clicks reach the rest of the graph through several tensors.
    """
    onnx = require("onnx", extra="tflite")
    model = onnx.shape_inference.infer_shapes(source)
    if all(value.name != CLICKS for value in model.graph.input):
        return [source]
    outputs = [value.name for value in model.graph.output]
    maps = find_click_subgraph(model.graph).maps
    if len(maps) > 1:
        raise ConversionError(
            f"the clicks leave their encoding through {', '.join(sorted(maps))}: export with the "
            "versions of constraints.txt."
        )
    if not maps:
        return [source]
    _rename(model.graph, maps.pop(), CLICK_MAPS)
    images = [value.name for value in model.graph.input if value.name != CLICKS]
    extractor = onnx.utils.Extractor(model)
    return [
        extractor.extract_model([CLICKS], [CLICK_MAPS]),
        extractor.extract_model([*images, CLICK_MAPS], outputs),
    ]


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for value in graph.value_info:
        if value.name == old:
            value.name = new
