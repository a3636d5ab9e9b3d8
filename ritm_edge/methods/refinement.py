"""Minimises a loss over unknowns until the clicks hold: the optimisation all BRS methods share.

As in the published evaluator of f-BRS (arXiv:2001.10331), SciPy's L-BFGS-B included. Two things
stop it beyond the optimiser's own rules: every clicked square is on the right side of the
threshold, or the mask no longer changes. Both are told by a gradient of zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..clicks import Click
from ..errors import RitmEdgeError
from ..optional import require
from ..session.view import mirrored

EPSILON = 1e-5


@dataclass(frozen=True)
class RefinementSettings:
    """The published values.

    Attributes:
        threshold: a pixel belongs to the mask above this probability.
        stall: the mask has stalled once its IoU with the last one is above 1 − stall.
        weight: of the unknowns' squares in the loss.
        evaluations: after which the optimiser ends at its next iteration.
    """

    threshold: float = 0.49
    stall: float = 0.01
    weight: float = 1e-3
    evaluations: int = 20


def with_mirrored(clicks: Sequence[Click], width: int, *, flip: bool) -> list[list[Click]]:
    """The clicks, and with `flip` those in the mirrored network input of `width` pixels."""
    return [list(clicks), [mirrored(each, width) for each in clicks]][: 1 + flip]


def click_squares(
    clicks: Sequence[Click], size: tuple[int, int], *, flip: bool
) -> tuple[Tensor, Tensor]:
    """Squares of 3×3 pixels around positive and around negative clicks: two maps of 0 and 1,
    float32 [1, 1, H, W], or [2, 1, H, W] with those of the mirrored clicks.

    The published code slices arrays: a square around a click on the first row or column is empty,
    and one of a click far off the crop comes back at the opposite side.
    """
    height, width = size
    sides = with_mirrored(clicks, width, flip=flip)
    maps = torch.zeros(2, len(sides), 1, height, width)
    for number, side in enumerate(sides):
        for click in side:
            row, column = round(click.row), round(click.column)
            sign = 0 if click.positive else 1
            maps[sign, number, 0, row - 1 : row + 2, column - 1 : column + 2] = 1.0
    return maps[0], maps[1]


def click_loss(
    probabilities: Tensor, positive: Tensor, negative: Tensor
) -> tuple[Tensor, float, float]:
    """Mean squared error over the squares of each sign, added, and the largest error of each; all
    arguments [B, 1, H, W]."""
    errors = positive * (1.0 - probabilities), negative * probabilities
    data = sum(
        ((error * error).sum() / (squares.sum() + EPSILON))
        for error, squares in zip(errors, (positive, negative), strict=True)
    )
    assert isinstance(data, Tensor)
    worst_positive, worst_negative = (float(error.detach().max()) for error in errors)
    return data, worst_positive, worst_negative


@dataclass
class Refinement:
    """One click's optimisation.

    Attributes:
        logits_of: unknowns, float32 [N] → logits [B, 1, H, W].
        penalty: unknowns → their part of the loss, before `weight`.
        positive, negative: from `click_squares`.
        best_logits: of the evaluation with the lowest loss.
        losses: of all evaluations, in order.
    """

    logits_of: Callable[[Tensor], Tensor]
    penalty: Callable[[Tensor], Tensor]
    positive: Tensor
    negative: Tensor
    settings: RefinementSettings = field(default_factory=RefinementSettings)
    best_logits: Tensor | None = None
    losses: list[float] = field(default_factory=list)
    _reference: Tensor | None = None

    def minimise(self, start: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The unknowns at which the optimiser ended, float64 [N]. Raises RitmEdgeError: the loss is
        not a finite number."""
        optimise = require("scipy.optimize", extra="methods")
        most = self.settings.evaluations
        found, _, _ = optimise.fmin_l_bfgs_b(
            self.loss_and_gradient,
            start.astype(np.float64),
            m=20,
            factr=0,
            pgtol=1e-8,
            maxfun=most,
            maxiter=2 * most,
        )
        return np.asarray(found, np.float64)

    def loss_and_gradient(
        self, unknowns: NDArray[np.floating[Any]]
    ) -> tuple[float, NDArray[np.float64]]:
        """What the optimiser sees: float and float64 [N]."""
        x = torch.from_numpy(np.asarray(unknowns, np.float32)).requires_grad_()
        with torch.enable_grad():
            logits = self.logits_of(x)
            probabilities = torch.sigmoid(logits)
            data, worst_positive, worst_negative = click_loss(
                probabilities, self.positive, self.negative
            )
            loss = data + self.settings.weight * self.penalty(x)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise RitmEdgeError(
                f"the loss of a refinement is {value}: the network gives no finite output here, "
                "measure this photo without refinement."
            )
        if not self.losses or value < min(self.losses):
            self.best_logits = logits.detach()
        self.losses.append(value)
        threshold = self.settings.threshold
        satisfied = worst_positive < 1 - threshold and worst_negative < threshold
        mask = probabilities.detach() > threshold
        if satisfied or self._has_stalled(mask):
            return value, np.zeros(unknowns.shape, np.float64)
        self._reference = mask
        (gradient,) = torch.autograd.grad(loss, x)
        return value, gradient.numpy().astype(np.float64)

    def _has_stalled(self, mask: Tensor) -> bool:
        if self._reference is None:
            return False
        both = (mask & self._reference).flatten(1).sum(1)
        union = (mask | self._reference).flatten(1).sum(1)
        known = union > 0
        if not bool(known.any()):
            return False
        return float((both[known] / union[known]).mean()) > 1 - self.settings.stall
