"""One small export of every target, made once for all tests that only read it."""

import contextlib
import fcntl
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ritm_edge.artifacts.executorch import read_program
from ritm_edge.artifacts.info import METADATA_KEY
from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.artifacts.tflite import metadata_text
from ritm_edge.artifacts.zipped import DESCRIPTION
from ritm_edge.errors import MissingExtraError
from ritm_edge.export.pipeline import Exported, export_model
from ritm_edge.export.registry import all_targets
from ritm_edge.export.target import Target
from ritm_edge.io_spec import IOSpec

from ..runtimes import tiny_info, tiny_reference

SPEC = IOSpec(64, 96, max_clicks=3)
TARGETS = [pytest.param(target, id=target.name) for target in all_targets()]

each_target = pytest.mark.parametrize("exported", TARGETS, indirect=True)


def export_once(target: Target, folders: pytest.TempPathFactory) -> Exported:
    """The small model, which the processes of a run share: to ExecuTorch it takes most of a
    minute."""
    shared = folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    path = shared / f"exported-{target.name}" / f"tiny{target.suffix}"
    report = path.parent.with_suffix(".pickle")
    with skipped_without_its_extra(), open(path.parent.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            info = tiny_info(SPEC, target.name)
            report.write_bytes(pickle.dumps(export_model(tiny_reference(), info, target, path)))
    exported: Exported = pickle.loads(report.read_bytes())
    return exported


@contextlib.contextmanager
def skipped_without_its_extra() -> Iterator[None]:
    try:
        yield
    except MissingExtraError as error:
        pytest.skip(str(error))


def description_of(path: Path) -> dict[str, Any]:
    """The self-description as it stands in a file."""
    content: dict[str, Any] = json.loads(_description_text(path))
    return content


def _description_text(path: Path) -> str | bytes:
    if path.is_dir():
        return open_package(path).metadata[METADATA_KEY]
    if zipfile.is_zipfile(path):
        return zipfile.ZipFile(path).read(DESCRIPTION)
    if path.suffix == ".tflite":
        text = metadata_text(path.read_bytes(), METADATA_KEY, path)
        assert text is not None
        return text
    if path.suffix == ".pte":
        return read_program(path)[1]
    import onnx

    (entry,) = (p for p in onnx.load(path).metadata_props if p.key == METADATA_KEY)
    return str(entry.value)


def copy_of(path: Path, folder: Path) -> Path:
    """A copy of a file or package that a test may damage."""
    copy = folder / path.name
    shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    return copy
