"""What a session is made of: fixed settings, states that clicks lead from one to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..runtimes.base import Runtime
from .fit import DEFAULT_FIT, Fit
from .predictor import predict
from .view import View, paste
from .zoom_in import Roi, Size, ZoomIn

Probabilities = NDArray[np.float32]
Mask = NDArray[np.bool_]
# [h] rows and [w] columns, in image pixels, of the points of a grid.
Positions = tuple[NDArray[np.float32], NDArray[np.float32]]


# Of the image, previous mask and clicks in a view, and the crop that the zoom-in has stored.
Answer = Callable[[NDArray[np.float32], Probabilities, Sequence[Click], Roi | None], Probabilities]


class Photo:
    """A photo, and the network input made from it last: an unchanged crop is not resized again.

    Attributes:
        pixels: uint8 [H, W, 3], RGB; never written to.
        size: (H, W).
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels, self.size = pixels, (pixels.shape[0], pixels.shape[1])
        self._kept: tuple[Any, NDArray[np.float32]] | None = None

    def shown(self, key: Any, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The network input called `key`, made where it is not the last one."""
        if self._kept is None or self._kept[0] != key:
            self._kept = key, make()
        return self._kept[1]


@dataclass(frozen=True)
class SessionConfig:
    """What stays the same over a session; attributes as in `InteractiveSession`, and who answers a
    click in place of `predict`, if anyone does."""

    runtime: Runtime
    zoom_in: ZoomIn | None
    flip: bool
    threshold: float
    max_side: int | None
    click_limit: int | None
    fit: Fit = DEFAULT_FIT
    answer: Answer | None = None


@dataclass(frozen=True)
class State:
    """Everything a click changes. States are never written to, so that undo is exact.

    The output stays at network size: a history of photo-sized maps would fill the memory.

    Attributes:
        clicks: in image pixels, in order.
        roi: stored crop of the zoom-in.
        output: float32 [h, w], probabilities of the last click; None before the first.
        placed: rectangle of the image into which `output` is resized; None where `output` is.
        given: float32 [H, W], the external mask the session was started from.
        limited: memory of the published limit of the longer side, see `published_protocol`.
        memory: what another method than a pass of the network keeps for its next click.
    """

    clicks: tuple[Click, ...] = ()
    roi: Roi | None = None
    output: Probabilities | None = None
    placed: Roi | None = None
    given: Probabilities | None = None
    limited: tuple[Size | None, Size | None] = (None, None)
    memory: object = None

    def probabilities(self, size: Size) -> Probabilities:
        """Over an image of `size`: the last prediction, else the external mask, else zeros."""
        if self.output is not None and self.placed is not None:
            return paste(self.output, self.placed, size)
        return np.zeros(size, np.float32) if self.given is None else self.given


class SessionProtocol(Protocol):
    """How clicks are answered. Modules and objects alike may have these functions.

    Args of all: the settings of the session, its photo, and the state that is left or shown.
    """

    def begin(self, config: SessionConfig, photo: Photo, given: Probabilities, /) -> State:
        """The state before the first click on top of an external mask, float32 [H, W]."""
        ...

    def advance(
        self, config: SessionConfig, photo: Photo, state: State, clicks: tuple[Click, ...], /
    ) -> State:
        """The state after the last one of `clicks`, which are all, in image pixels.

        Raises:
            ClickError: more clicks than slots.
        """
        ...

    def probabilities(self, config: SessionConfig, photo: Photo, state: State, /) -> Probabilities:
        """Object probability of every pixel of the photo."""
        ...

    def mask_at(self, config: SessionConfig, photo: Photo, state: State, at: Positions, /) -> Mask:
        """The selection, bool [h, w], at these positions."""
        ...


def run_views(
    config: SessionConfig,
    views: Sequence[View],
    image: NDArray[np.uint8],
    prev_mask: Probabilities,
    clicks: Sequence[Click],
    roi: Roi | None,
) -> Probabilities:
    """Network output [h, w] for the image as seen through `views`, one after the other.

    It shows what the last view shows; a margin beside its content is cut off.
    """
    seen: NDArray[np.generic] = image
    for view in views:
        seen, prev_mask = view.cut(seen), view.cut(prev_mask)
        clicks = [view.click(click) for click in clicks]
    image_seen = np.asarray(seen, np.float32)
    if config.answer is not None:
        return views[-1].uncover(config.answer(image_seen, prev_mask, clicks, roi))
    output = predict(
        config.runtime,
        image_seen,
        prev_mask,
        clicks,
        flip=config.flip,
        click_limit=config.click_limit,
    )
    return views[-1].uncover(output)
