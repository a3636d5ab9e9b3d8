"""What an export target declares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ritm_edge.verification.parity import Tolerance

from .export_input import Convert
from .precision import ReducedPrecision
from .session_graphs.steps import StepSettings


@dataclass(frozen=True)
class Target:
    """One kind of artifact.

    Attributes:
        name: what `--target` takes.
        suffix: of the file, with the dot; also selects the runtime.
        tolerance: how far float32 may be from PyTorch, and why.
        packages: whose versions are written into the artifact.
        convert: writes the float32 artifact.
        stamp: writes the self-description into an existing artifact.
        any_size: whether `convert` can leave height and width open.
        precisions: those below float32, by name.
        rewrites: names of the exact rewrites (`rewrites.NAMES`) that were measured to win on it
            in float32.
        add_session: writes the session graphs to a converted artifact, or beside it, and returns
            what its description says of them; None where there are none.
    """

    name: str
    suffix: str
    tolerance: Tolerance
    packages: tuple[str, ...]
    convert: Convert
    stamp: Callable[[Path, str], None]
    any_size: bool = False
    precisions: Mapping[str, ReducedPrecision] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()
    add_session: Callable[[StepSettings, Path], dict[str, Any]] | None = None
