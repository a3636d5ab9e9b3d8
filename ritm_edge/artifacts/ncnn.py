"""An .ncnn file: ncnn's pair of files in one, and the text that one of them is."""

from dataclasses import dataclass, field
from typing import Self

from .zipped import ZippedModel

MAGIC = "7767517"
INPUT = "Input"
# Of an Input: width, height, channels.
SHAPE_KEYS = ("0", "1", "2")


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
