"""What tests of exports share."""

import pytest

from ritm_edge.export.pipeline import Exported, export_model
from ritm_edge.export.target import Target

from ..runtimes import tiny_info, tiny_reference
from .artifacts import SPEC, skipped_without_its_extra


@pytest.fixture(scope="session")
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Target, Exported]:
    """The target that `each_target` names, and its export of the small model; not to be changed."""
    target = request.param
    path = tmp_path_factory.mktemp(target.name) / f"tiny{target.suffix}"
    with skipped_without_its_extra():
        return target, export_model(tiny_reference(), tiny_info(SPEC, target.name), target, path)
