"""What every test gets."""

from collections.abc import Generator

import pytest
import torch

from ritm_edge.errors import MissingExtraError


@pytest.fixture(autouse=True, scope="module")
def seeded_module() -> None:
    """Fixtures of a module draw the same random weights whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def seeded_test() -> None:
    """So does every test, whichever tests are selected."""
    torch.manual_seed(0)


def _skip_without_converter() -> Generator[None, object, object]:
    """Skip what needs a converter that has no build for this Python, and say so."""
    try:
        return (yield)
    except MissingExtraError as error:
        if "has no build for Python" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    return (yield from _skip_without_converter())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    return (yield from _skip_without_converter())
