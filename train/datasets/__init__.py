"""Readers of training sets: every file NAME.py of this folder holds `find(root)`."""

import pkgutil
from importlib import import_module
from pathlib import Path

from ritm_edge.errors import DatasetError, UsageError
from ritm_edge.files import existing_file

from .base import Entry

__all__ = ["Entry", "dataset_names", "find_entries"]

_HELPERS = {"base", "run_lengths", "panoptic"}


def dataset_names() -> list[str]:
    """Names that `data.datasets` accepts, sorted."""
    names = {module.name for module in pkgutil.iter_modules(__path__)}
    return sorted(name.replace("_", "-") for name in names - _HELPERS)


def find_entries(names: tuple[str, ...], root: Path) -> list[Entry]:
    """The photos of several training sets, in their official layouts below `root`, in a stable
    order. Raises UsageError: an unknown name; InputFileError: `root` does not exist; DatasetError:
    a data set is not there or its lists cannot be read."""
    known = dataset_names()
    entries: list[Entry] = []
    for name in names:
        if name not in known:
            raise UsageError(f"unknown data set '{name}': choose one of {', '.join(known)}.")
        module = import_module(f"{__name__}.{name.replace('-', '_')}")
        entries += module.find(existing_file(root))
    if not entries:
        raise DatasetError(f"no photo of {', '.join(names)} in {root}: check the folder.")
    return entries
