"""The input of every converter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from .calibration import Inputs


@dataclass(frozen=True)
class ExportInput:
    """A graph, and what a converter needs to know of it.

    Attributes:
        graph: in eval mode; called with `example` as keywords.
        example: inputs by name.
        output_names: names of the outputs.
        any_size: let height and width of image, previous mask and output vary.
        calibration: inputs to measure the ranges of activations on; empty where not needed.
        keep_float: layers that stay out of int8, by the beginnings of their parameters' names.
    """

    graph: nn.Module
    example: dict[str, Tensor]
    output_names: tuple[str, ...]
    any_size: bool = False
    calibration: Sequence[Inputs] = ()
    keep_float: tuple[str, ...] = ()


# Writes the artifact to a path.
Convert = Callable[[ExportInput, Path], None]
