"""Fixtures of the training tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ritm_edge.model.ritm import HRNETS

from ..models import TINY
from .photos import write_photos


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Folder with four generated photos and their label maps."""
    return write_photos(tmp_path / "data")


@pytest.fixture
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let "hrnet18s" be a network of the same shape with a fraction of the channels."""
    monkeypatch.setitem(HRNETS, "hrnet18s", TINY)
