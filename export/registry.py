"""Export targets by name: every module in `targets/` declares some."""

import pkgutil
from importlib import import_module

from ritm_edge.artifacts.info import Precision
from ritm_edge.errors import UsageError

from . import targets
from .precision import ReducedPrecision
from .target import Target


def all_targets() -> list[Target]:
    """Every target, in alphabetical order of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(targets.__path__))
    return [
        target for name in names for target in import_module(f"{targets.__name__}.{name}").TARGETS
    ]


def find_target(name: str) -> Target:
    """The target called `name`. Raises UsageError: none is."""
    known = {target.name: target for target in all_targets()}
    if name not in known:
        raise UsageError(f"unknown target '{name}': choose from {', '.join(known)}.")
    return known[name]


def find_precision(target: Target, name: str) -> ReducedPrecision | None:
    """A target's precision by name; None for fp32, which every target has. Raises UsageError: the
    target does not have it, or nothing is called that."""
    if name == Precision.FP32:
        return None
    if name not in [*Precision]:
        raise UsageError(f"unknown precision '{name}': choose from {', '.join(Precision)}.")
    if name not in target.precisions:
        raise UsageError(
            f"the target {target.name} has no precision {name}: choose from "
            f"{', '.join((Precision.FP32, *target.precisions))}."
        )
    return target.precisions[name]
