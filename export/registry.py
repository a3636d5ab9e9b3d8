"""Export targets by name: every module in `targets/` declares some."""

import pkgutil
from importlib import import_module

from ritm_edge.artifact import ArtifactInfo
from ritm_edge.errors import UsageError

from . import targets
from .target import Target


def all_targets() -> list[Target]:
    """Every target, in alphabetical order of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(targets.__path__))
    return [
        target for name in names for target in import_module(f"{targets.__name__}.{name}").TARGETS
    ]


def find_target(name: str) -> Target:
    """The target called `name`.

    Raises:
        UsageError: none is.
    """
    known = {target.name: target for target in all_targets()}
    if name not in known:
        raise UsageError(f"unknown target '{name}': choose from {', '.join(known)}.")
    return known[name]


def target_of(info: ArtifactInfo) -> Target:
    """The target that made an artifact.

    Raises:
        UsageError: this version has no such target.
    """
    return find_target(info.target)
