"""One small export of every target, made once for all tests that only read it."""

import contextlib
import shutil
from pathlib import Path

import pytest

from ritm_edge.errors import MissingExtraError
from ritm_edge.export.registry import all_targets
from ritm_edge.io_spec import IOSpec

SPEC = IOSpec(64, 96, max_clicks=3)
TARGETS = [pytest.param(target, id=target.name) for target in all_targets()]

each_target = pytest.mark.parametrize("exported", TARGETS, indirect=True)


@contextlib.contextmanager
def skipped_without_its_extra():
    try:
        yield
    except MissingExtraError as error:
        pytest.skip(str(error))


def copy_of(path: Path, folder: Path) -> Path:
    """A copy of a file or package that a test may damage."""
    copy = folder / path.name
    shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    return copy
