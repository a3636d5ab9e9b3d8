"""Clicks as people make them, and in the form that the graph takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ClickError
from .io_spec import EMPTY_SLOT


@dataclass(frozen=True)
class Click:
    """One click.

    Attributes:
        row: pixels from the top; pixel centres sit at whole numbers.
        column: pixels from the left.
        positive: True on the object, False on what should be removed.
        order: 0 for the first click of a session.
    """

    row: float
    column: float
    positive: bool = True
    order: int = 0


def pack_clicks(clicks: Sequence[Click], *, max_clicks: int | None = None) -> NDArray[np.float64]:
    """Put clicks into fixed slots: positive ones first, each sign in click order.

    Args:
        clicks: any number.
        max_clicks: K, slots per sign; None takes as many as the fuller sign needs, at least 1.

    Returns:
        float64 [1, 2K, 3] (row, column, order); empty slots are −1 −1 −1.

    Raises:
        ClickError: more clicks of one sign than slots.
    """
    signs = [[c for c in clicks if c.positive], [c for c in clicks if not c.positive]]
    needed = max(1, *(len(sign) for sign in signs))
    slots = needed if max_clicks is None else max_clicks
    if needed > slots:
        raise ClickError(
            f"{needed} clicks of one sign, but the graph has {slots} slots for each: undo some "
            f"clicks, or export with --max-clicks {needed}."
        )
    packed = np.full((1, 2 * slots, 3), EMPTY_SLOT)
    for start, sign in zip((0, slots), signs, strict=True):
        for index, click in enumerate(sign):
            packed[0, start + index] = click.row, click.column, click.order
    return packed
