"""Which layer an operation belongs to, and the layers that a user, or a target's list, names."""

from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from ritm_edge.errors import UsageError

# What decides last, and what takes the clicks in: little to compute. With the context block and the
# last layer alone in float32, GrabCut needed 0.18 clicks more than in float32, with these 0.08
# (ONNX, older weights). The last three are EfficientNet-Lite's: stem and clicks in
# integers tripled the mean error of a probability.
KEEP_FLOAT = (
    "maps_transform",
    "feature_extractor.aux_head.3",
    "feature_extractor.ocr_distri_head",
    "feature_extractor.cls_head",
    "feature_extractor.stem",
    "feature_extractor.clicks",
    "feature_extractor.decoder.logits",
)

Key = TypeVar("Key", bound=Hashable)


class Operation(NamedTuple):
    """One operation of a graph: a name to find it by, the tensors in and out, by whatever the graph
    calls them, and the layer that it is, if it is a convolution."""

    name: Any
    inputs: Iterable[Hashable]
    outputs: Iterable[Hashable]
    layer: str | None


def layer_of_weight(name: str) -> str:
    """Name in the checkpoint of an initializer of the exported graph."""
    return name.removeprefix("model.").replace(".network.", ".")


def layers_of_operations(operations: Iterable[Operation]) -> dict[Any, str]:
    """Name of each operation → layer it belongs to: a convolution has its own, everything else
    that of the convolution that feeds it last; what comes before the first convolution belongs
    to none."""
    written: dict[Hashable, str] = {}
    found: dict[Any, str] = {}
    for operation in operations:
        layers = [written[name] for name in operation.inputs if name in written]
        if operation.layer is not None:
            layers = [operation.layer]
        if layers:
            found[operation.name] = layers[-1]
            written.update(dict.fromkeys(operation.outputs, layers[-1]))
    return found


def find_layers(
    layers: Mapping[Key, str],
    beginnings: Iterable[str],
    *,
    optional: Container[str] = (),
    spell: Callable[[str], str] = str,
) -> set[Key]:
    """Keys of `layers`, whose values are names of layers, where the name has one of the beginnings,
    as in the checkpoint; `spell` turns one into the spelling of `layers`. Raises UsageError: a
    beginning that is not `optional` matches nothing."""
    found: set[Key] = set()
    for beginning in beginnings:
        matching = {key for key, layer in layers.items() if layer.startswith(spell(beginning))}
        if not matching and beginning not in optional:
            raise UsageError(
                f"no layer is called {beginning}: ritm-edge bench sensitivity lists the layers."
            )
        found |= matching
    return found
