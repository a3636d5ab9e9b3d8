"""Clicks in, mask out: what apps, the command line and the evaluation share."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clicks import Click
from ..errors import ClickError, ShapeError, UsageError
from ..io_spec import MASK_THRESHOLD
from ..runtimes.base import Runtime
from . import app_protocol, published_protocol
from .fit import DEFAULT_FIT, Fit, check_fit
from .state import SessionConfig, SessionProtocol, State
from .zoom_in import ZoomIn

DEFAULT_ZOOM_IN = ZoomIn()

_PROTOCOLS: dict[str, SessionProtocol] = {
    "app": app_protocol.advance,
    "published": published_protocol.advance,
}


class InteractiveSession:
    """Selects one object of one photo, click by click.

    It owns zoom-in, flip averaging, the feedback of the previous mask and the way between photo
    and network pixels; it never knows which runtime it holds. After any error it is as it was
    before the call.

    Args:
        runtime: see `runtimes.base.Runtime`.
        protocol: "app", or "published" for the numbers of the paper; the differences are listed at
            `app_protocol` and `published_protocol`.
        zoom_in: None always shows the network the whole image.
        flip: average with the mirrored image; costs a second run per click.
        threshold: a pixel belongs to the mask above this probability.
        max_side: pixels, longest side of a network input where the graph takes any size; None is
            800 in the app protocol, no limit in the published one.
        click_limit: how many clicks, from the first, the network sees; None gives it all.
        fit: how a crop is shown to a graph of fixed size: "context", "letterbox" or "stretch", see
            `ritm_edge.session.fit`.

    Raises:
        UsageError: an unknown protocol or a value out of range.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        protocol: Literal["app", "published"] = "app",
        zoom_in: ZoomIn | None = DEFAULT_ZOOM_IN,
        flip: bool = True,
        threshold: float = MASK_THRESHOLD,
        max_side: int | None = None,
        click_limit: int | None = None,
        fit: Fit = DEFAULT_FIT,
    ) -> None:
        if protocol not in _PROTOCOLS:
            raise UsageError(
                f"unknown session protocol {protocol!r}: choose {' or '.join(_PROTOCOLS)}."
            )
        if not 0.0 < threshold < 1.0:
            raise UsageError(f"the mask threshold is {threshold}: pass a probability in 0…1.")
        for name, value in (("max_side", max_side), ("click_limit", click_limit)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}: pass a whole number above 0, or None.")
        self._advance = _PROTOCOLS[protocol]
        # The published demo numbers clicks from 1 when it starts from a mask.
        self._order_after_mask = 1 if protocol == "published" else 0
        self._config = SessionConfig(
            runtime, zoom_in, flip, threshold, max_side, click_limit, check_fit(fit)
        )
        self._image: NDArray[np.uint8] | None = None
        self._forget(State())

    def _forget(self, state: State) -> None:
        self._history: list[State] = []
        self._enter(state)

    def _enter(self, state: State) -> None:
        self._state = state
        self._probabilities: NDArray[np.float32] | None = None

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Start on a photo; forgets clicks, mask and history.

        Args:
            image: uint8 [H, W, 3], RGB; copied.

        Raises:
            ShapeError: another type or shape, or no pixels.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ShapeError(
                f"the image is {image.dtype} {list(image.shape)}: pass uint8 RGB [H, W, 3]."
            )
        self._image = image.copy()
        self._forget(State())

    def click(self, row: float, column: float, positive: bool = True) -> NDArray[np.bool_]:
        """Add a click and return the new mask.

        Args:
            row: image pixels from the top, 0 ≤ row < H; pixel centres at whole numbers.
            column: image pixels from the left, 0 ≤ column < W.
            positive: True on the object, False on what should be removed.

        Returns:
            bool [H, W].

        Raises:
            ClickError: outside the image, or more clicks of one sign than the graph has slots.
            UsageError: no image yet.
        """
        image = self._require_image()
        clicks = (*self._state.clicks, self._new_click(row, column, positive))
        state = self._advance(self._config, image, self._state, self.probabilities, clicks)
        self._history.append(self._state)
        self._enter(state)
        return self.mask

    def _new_click(self, row: float, column: float, positive: bool) -> Click:
        number = len(self._state.clicks)
        height, width = self._size
        try:
            position = float(row), float(column)
        except (TypeError, ValueError):
            position = math.nan, math.nan
        if not (0 <= position[0] < height and 0 <= position[1] < width):
            raise ClickError(
                f"click {number + 1} at row {row}, column {column} is outside the image of "
                f"{height} rows and {width} columns: click inside it (rows count from the top, "
                "columns from the left)."
            )
        offset = 0 if self._state.given is None else self._order_after_mask
        return Click(*position, positive=bool(positive), order=number + offset)

    def undo(self) -> NDArray[np.bool_]:
        """Take the last click back and return the mask before it.

        Raises:
            UsageError: no click to take back.
        """
        if not self._history:
            raise UsageError("there is no click to undo: click first.")
        self._enter(self._history.pop())
        return self.mask

    def reset(self) -> None:
        """Forget clicks, masks and history; keep the image."""
        self._forget(State())

    def set_mask(self, mask: ArrayLike) -> None:
        """Start from an external mask; forgets clicks and history.

        Args:
            mask: [H, W] of the image, bool, or probabilities 0…1 as floats; copied.

        Raises:
            ShapeError: another size or type.
            UsageError: values out of range, no image yet, or a graph without `prev_mask` input.
        """
        self._require_image()
        if not self._config.runtime.spec.prev_mask:
            raise UsageError(
                "this model has no previous-mask input and cannot start from a mask: use a model "
                "trained with prev_mask."
            )
        array = np.asarray(mask)
        is_number = array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating)
        if not is_number or array.shape != self._size:
            raise ShapeError(
                f"the mask is {array.dtype} {list(array.shape)}: pass bool or float "
                f"{list(self._size)}, the size of the image."
            )
        if array.dtype != np.bool_ and not bool(((array >= 0) & (array <= 1)).all()):
            raise UsageError("the mask has values outside 0…1: pass probabilities or a bool mask.")
        given = array.astype(np.float32)
        given.setflags(write=False)
        self._forget(State(given=given))

    @property
    def clicks(self) -> tuple[Click, ...]:
        """All clicks in order, in image pixels."""
        return self._state.clicks

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Object probability of each pixel, float32 [H, W], read-only; zeros before any click.

        Raises:
            UsageError: no image yet.
        """
        self._require_image()
        if self._probabilities is None:
            self._probabilities = self._state.probabilities(self._size)
            self._probabilities.setflags(write=False)
        return self._probabilities

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The selection, bool [H, W].

        Raises:
            UsageError: no image yet.
        """
        # float32 on both sides: the published comparison decides pixels at the threshold.
        mask: NDArray[np.bool_] = self.probabilities > np.float32(self._config.threshold)
        return mask

    @property
    def zoom_roi(self) -> tuple[int, int, int, int] | None:
        """Stored crop (first row, last row, first column, last column); None without."""
        return self._state.roi

    @property
    def _size(self) -> tuple[int, int]:
        image = self._require_image()
        return image.shape[0], image.shape[1]

    def _require_image(self) -> NDArray[np.uint8]:
        if self._image is None:
            raise UsageError("the session has no image: call set_image first.")
        return self._image
