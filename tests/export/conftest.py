"""What tests of exports share."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ritm_edge.export import calibration
from ritm_edge.export.pipeline import Exported, export_model
from ritm_edge.export.registry import find_target
from ritm_edge.export.target import Target

from ..runtimes import tiny_info, tiny_reference
from . import made_network
from .artifacts import export_once, skipped_without_its_extra


@pytest.fixture(scope="session")
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Target, Exported]:
    """The target that `each_target` names, and its export of the small model; not to be changed."""
    return request.param, export_once(request.param, tmp_path_factory)


@pytest.fixture
def brief_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three objects instead of twenty, where a test asks for a verdict and not for a good model."""
    monkeypatch.setattr(calibration, "OBJECTS", 3)


@pytest.fixture(scope="session", params=["onnx", "tflite"])
def with_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A small export with session graphs, and what it was before they were added."""
    target = find_target(request.param)
    folder = tmp_path_factory.mktemp("session")
    path, before = (folder / name / f"tiny{target.suffix}" for name in ("with", "without"))
    path.parent.mkdir()
    before.parent.mkdir()
    add = target.add_session
    assert add is not None

    def add_session(settings: Any, converted: Path) -> dict[str, Any]:
        shutil.copy(converted, before)
        target.stamp(before, info.to_json())
        return add(settings, converted)

    info = tiny_info(made_network.SPEC, target.name)
    with skipped_without_its_extra():
        export_model(
            tiny_reference(), info, replace(target, add_session=add_session), path,
            session="context",
        )  # fmt: skip
    return path, before
