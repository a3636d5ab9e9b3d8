"""What answers clicks: a session, or any other method that is compared with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..artifacts.info import ArtifactInfo
from ..clicks import Click
from ..errors import UsageError
from ..io_spec import IOSpec
from ..runtimes.base import Outputs, Runtime


class ClickMethod(Protocol):
    """Selects one object of one photo, click by click; `InteractiveSession` is one.

    Attributes:
        clicks: all so far, in image pixels.
        mask: the selection, bool [H, W]; all False before the first click.
    """

    @property
    def clicks(self) -> tuple[Click, ...]: ...

    @property
    def mask(self) -> NDArray[np.bool_]: ...

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Start on a photo, uint8 [H, W, 3], RGB."""
        ...

    def click(self, row: float, column: float, positive: bool = True) -> NDArray[np.bool_]:
        """Add a click, in image pixels, and return the new mask, bool [H, W]."""
        ...


# Methods that need no network: name → the module of this package with its `segment`.
CLASSICAL = {
    "grabcut": "grabcut",
    "graph-cut": "graph_cut",
    "random-walker": "random_walker",
}
REFINING = ("f-brs-a", "f-brs-b", "f-brs-c", "rgb-brs", "distmap-brs")
METHODS = (*REFINING, *CLASSICAL)


def check_method(name: str) -> str:
    """`name` itself. Raises UsageError: no method of that name."""
    if name not in METHODS:
        raise UsageError(f"unknown method '{name}': choose one of {', '.join(METHODS)}.")
    return name


@dataclass
class ClassicalRuntime:
    """Stands for a classical method where a measurement expects what runs a file."""

    name: str
    engine: str | None = None
    info: ArtifactInfo | None = None
    label: str = field(init=False)
    spec: IOSpec = field(init=False)

    def __post_init__(self) -> None:
        self.label, self.spec = self.name, IOSpec(max_clicks=None, prev_mask=False)

    @property
    def sha256(self) -> str:
        """Stands for the method's parameters, so that no journal mixes two."""
        return f"{self.name} {segment_of(self.name).PARAMETERS}"

    @property
    def source(self) -> "ClassicalRuntime":
        return self

    def open(self) -> Runtime:
        """See `RuntimeSource`."""
        segment_of(self.name)
        return self

    def run(self, inputs: Any) -> Outputs:
        """Raises UsageError: there is no network."""
        raise UsageError(f"{self.name} has no network to run on {len(inputs)} inputs.")

    def close(self) -> None:
        """Nothing to end."""


def segment_of(name: str) -> Any:
    """The module of a classical method: `segment(photo, seeds)` → mask, and its `PARAMETERS`.
    Raises MissingExtraError: its library is not installed."""
    return import_module(f"{__package__}.{CLASSICAL[name]}")


Segment = Callable[[NDArray[np.uint8], NDArray[np.int8]], NDArray[np.bool_]]
