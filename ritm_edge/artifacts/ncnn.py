"""An .ncnn file: ncnn's pair of files in one, and the text that one of them is."""

import math
from dataclasses import dataclass, field
from typing import Self

from .zipped import ZippedModel

MAGIC = "7767517"
INPUT = "Input"
# Of an Input: width, height, channels.
SHAPE_KEYS = ("0", "1", "2")
# What the exporter writes, and no more: ncnn trusts a graph, and some of its layers can take any
# memory. The settings are sizes, counts and numbers of modes and axes.
KINDS = frozenset(
    """
    Input MemoryData Split Convolution ConvolutionDepthWise Deconvolution InnerProduct MatMul Gemm
    BinaryOp UnaryOp ReLU Clip Sigmoid TanH Softmax Interp Pooling Reduction Concat Crop ExpandDims
    Flatten Padding Permute Reshape Slice Squeeze Tile HardSwish HardSigmoid Swish
    """.split()
)
LARGEST_SETTING, LARGEST_SHAPE = 4096, 1 << 24
CONSTANTS = ("BinaryOp", "Clip")  # with numbers to compute with
# Settings that count weights, or the values of an array that is stored, by kind.
WEIGHTS = dict.fromkeys(("Convolution", "ConvolutionDepthWise", "Deconvolution"), "6")
WEIGHTS |= {"InnerProduct": "2"}


class NcnnFile(ZippedModel):
    """`model.param`, the layers as text, and `model.bin`, their weights."""

    SUFFIX = ".ncnn"
    GRAPH = "model.param"
    WEIGHTS = "model.bin"


@dataclass(frozen=True)
class Layer:
    """One line of the text: what it computes, e.g. "Convolution", the arrays it reads and writes,
    and its settings by number, as text; which is what depends on the kind."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read one line. Raises ValueError: it is none."""
        kind, name, inputs, outputs, *rest = line.split()
        first, last = int(inputs), int(inputs) + int(outputs)
        if min(int(inputs), int(outputs)) < 0 or last > len(rest):
            raise ValueError(f"a layer with {inputs} inputs and {outputs} outputs")
        settings = (each.split("=", 1) for each in rest[last:])
        return cls(kind, name, tuple(rest[:first]), tuple(rest[first:last]), dict(settings))

    def format(self) -> str:
        """The line."""
        counts = f"{len(self.inputs)} {len(self.outputs)}"
        settings = (f"{key}={value}" for key, value in self.settings.items())
        return " ".join((self.kind, self.name, counts, *self.inputs, *self.outputs, *settings))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an Input: its array's shape without the batch. Raises ValueError: a size that is not a
        number."""
        return tuple(int(self.settings[key]) for key in SHAPE_KEYS if key in self.settings)[::-1]


def check_layers(layers: list[Layer], weights: bytes) -> None:
    """Refuse what ncnn would compute without end or compute wrong. Raises ValueError: a layer that
    the exporter does not write, a setting beyond what models have, or more weights than there
    are."""
    stored = 0
    for layer in layers:
        if layer.kind not in KINDS:
            raise ValueError(f"{layer.kind} is no layer of our graphs")
        counted = WEIGHTS.get(layer.kind)
        is_large = layer.kind in ("Reshape", INPUT, "MemoryData")
        for key, text in layer.settings.items():
            values = [float(each) for each in text.split(",")]
            if layer.kind in CONSTANTS and all(map(math.isfinite, values)):
                continue
            most = (
                len(weights) if key == counted else LARGEST_SHAPE if is_large else LARGEST_SETTING
            )
            least = 0 if key == counted else -max(most, LARGEST_SETTING)
            if not all(least <= value <= most for value in values):
                raise ValueError(f"{layer.name} has the setting {key}={text[:40]}")
        if counted:
            stored += int(layer.settings.get(counted, "0"))
        elif layer.kind == "MemoryData":
            stored += math.prod(layer.shape)
    if stored > len(weights):
        raise ValueError(f"{stored} weights in {len(weights)} bytes")


def parse_layers(text: str) -> list[Layer]:
    """The layers of a .param text, in order of execution. Raises ValueError: it is none."""
    magic, _, *lines = text.splitlines()
    if magic.strip() != MAGIC:
        raise ValueError("another first line")
    return [Layer.parse(line) for line in lines if line.strip()]


def format_layers(layers: list[Layer]) -> str:
    """The .param text of layers."""
    arrays = sum(len(layer.outputs) for layer in layers)
    return "\n".join((MAGIC, f"{len(layers)} {arrays}", *(each.format() for each in layers), ""))
