"""Readers of benchmark data sets: one file each, found by its name `BENCHMARK`."""

import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ..errors import UsageError
from .base import Benchmark, LeftOut, Sample

__all__ = ["Benchmark", "Sample", "open_benchmark", "readers"]

_HELPERS = {"base", "check", "instances"}


def readers() -> dict[str, ModuleType]:
    """Benchmark → module with BENCHMARK, ZOOM_TARGET, LAYOUT, PUBLISHED and `find_samples`."""
    names = sorted({m.name for m in pkgutil.iter_modules(__path__)} - _HELPERS)
    modules = (import_module(f"{__name__}.{name}") for name in names)
    return {module.BENCHMARK: module for module in modules}


def find_reader(name: str) -> ModuleType:
    """The module that reads a benchmark, whose name may be in upper or lower case. Raises
    UsageError: an unknown name."""
    for known, reader in readers().items():
        if known.lower() == name.lower():
            return reader
    raise UsageError(f"unknown benchmark '{name}': choose one of {', '.join(sorted(readers()))}.")


def open_benchmark(name: str, path: str | Path) -> Benchmark:
    """Find the samples of a data set, one of `readers()` in upper or lower case, below its folder
    in the official layout; files are read when a sample is loaded. What belongs to no sample is
    left out with one `DataWarning`. Raises UsageError: an unknown name; InputFileError: a missing
    folder, or photos and masks that do not match."""
    reader = find_reader(name)
    left_out = LeftOut()
    samples = tuple(reader.find_samples(Path(path), left_out))
    left_out.warn()
    return Benchmark(reader.BENCHMARK, samples, reader.ZOOM_TARGET)
