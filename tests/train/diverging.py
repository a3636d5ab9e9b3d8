"""A loss that stops being finite, for tests of what a run makes of that."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor

from ritm_edge.train import step as training_step


class _InfiniteGradient(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.inf


def let_the_loss_diverge(
    monkeypatch: pytest.MonkeyPatch, where: str, *, when: Callable[[int], bool]
) -> None:
    """Make the "loss" NaN, or its "gradient" infinite, in the calls (from 0) chosen by `when`."""
    original, calls = training_step.total_loss, count()

    def diverging(*arguments: Any) -> Any:
        loss = original(*arguments)
        if not when(next(calls)):
            return loss
        if where == "loss":
            return loss * torch.nan
        return _InfiniteGradient.apply(loss)  # type: ignore[no-untyped-call]  # of torch

    monkeypatch.setattr(training_step, "total_loss", diverging)
