"""What every test gets."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def seeded_module() -> None:
    """Fixtures of a module draw the same random weights whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def seeded_test() -> None:
    """So does every test, whichever tests are selected."""
    torch.manual_seed(0)
