"""Clicks in, mask out: what apps, the command line and the evaluation share."""

import math
from collections.abc import Sequence
from copy import copy
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clicks import Click
from ..errors import ClickError, ShapeError, UsageError
from ..io_spec import MASK_THRESHOLD
from ..runtimes.base import Runtime
from . import app_protocol, graph_protocol, published_protocol
from .fit import DEFAULT_FIT, Fit, check_fit
from .history import Chain, History
from .log import as_log
from .state import Photo, SessionConfig, SessionProtocol, State
from .zoom_in import ZoomIn

DEFAULT_ZOOM_IN = ZoomIn()

Protocol = Literal["app", "published", "graphs"]
_PROTOCOLS: dict[str, SessionProtocol] = {
    "app": app_protocol,
    "published": published_protocol,
    "graphs": graph_protocol,
}


def check_protocol(protocol: str) -> Protocol:
    """`protocol` itself.

    Raises:
        UsageError: none of that name.
    """
    known: Protocol
    for known in get_args(Protocol):
        if protocol == known:
            return known
    raise UsageError(f"unknown session protocol {protocol!r}: choose {' or '.join(_PROTOCOLS)}.")


class InteractiveSession:
    """Selects one object of one photo, click by click.

    It owns zoom-in, flip averaging, the feedback of the previous mask and the way between photo
    and network pixels; it never knows which runtime it holds. After any error it is as it was
    before the call.

    Args:
        runtime: see `runtimes.base.Runtime`.
        protocol: "app", or "published" for the numbers of the paper; the differences are listed at
            `app_protocol` and `published_protocol`; "graphs" is "app", computed by the session
            graphs of an artifact. Or an own `SessionProtocol`, as those in `ritm_edge.methods`.
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
        protocol: Protocol | SessionProtocol = "app",
        zoom_in: ZoomIn | None = DEFAULT_ZOOM_IN,
        flip: bool = True,
        threshold: float = MASK_THRESHOLD,
        max_side: int | None = None,
        click_limit: int | None = None,
        fit: Fit = DEFAULT_FIT,
    ) -> None:
        if not 0.0 < threshold < 1.0:
            raise UsageError(f"the mask threshold is {threshold}: pass a probability in 0…1.")
        for name, value in (("max_side", max_side), ("click_limit", click_limit)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}: pass a whole number above 0, or None.")
        self._name: Protocol = "published"
        self._protocol: SessionProtocol
        if isinstance(protocol, str):
            self._name = check_protocol(protocol)
            self._protocol = _PROTOCOLS[self._name]
        else:
            self._protocol = protocol
        # The published demo numbers clicks from 1 when it starts from a mask.
        self._order_after_mask = 1 if self._name == "published" else 0
        self._config = SessionConfig(
            runtime, zoom_in, flip, threshold, max_side, click_limit, check_fit(fit)
        )
        if protocol == "graphs":
            graph_protocol.check(self._config)
        self._photo: Photo | None = None
        self._history = History(State())
        self._shown: tuple[State, NDArray[np.float32]] | None = None

    @property
    def _state(self) -> State:
        return self._history.chain[-1]

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
        self._photo = Photo(image.copy())
        self._history = History(State())

    def on_same_photo(self) -> "InteractiveSession":
        """Another session with these settings, without clicks, that shares the photo."""
        other = copy(self)
        other._photo = Photo(self._require_photo().pixels)
        other._history, other._shown = History(State()), None
        return other

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
        self.advance(row, column, positive)
        return self.mask

    def advance(self, row: float, column: float, positive: bool = True) -> None:
        """Add a click; nothing of the photo's size is made, see `mask_at`.

        Args and errors: as `click`.
        """
        chain, clicks = self._history.chain, self._state.clicks
        click = self._click(row, column, positive, order=len(clicks))
        self._history.append(self._replayed(chain, (*clicks, click)))

    def remove_click(self, index: int) -> None:
        """Take one click back and make the later ones again, as if it had never been made.

        Args:
            index: of the click in `clicks`, from 0.

        Raises:
            UsageError: there is no such click.
        """
        clicks = self._state.clicks
        index = self._existing(index)
        self._replace(index, clicks[index + 1 :])

    def move_click(self, index: int, row: float, column: float) -> None:
        """Put one click elsewhere and make the later ones again.

        Args:
            index: of the click in `clicks`, from 0; it keeps its sign.
            row, column: as in `click`.

        Raises:
            ClickError: outside the image.
            UsageError: there is no such click.
        """
        index = self._existing(index)
        old = self._state.clicks[index]
        moved = self._click(row, column, old.positive, order=index)
        self._replace(index, (moved, *self._state.clicks[index + 1 :]))

    def _replace(self, index: int, rest: Sequence[Click]) -> None:
        """Make the clicks from `index` on anew, with new numbers."""
        again = [
            self._click(click.row, click.column, click.positive, order=index + number)
            for number, click in enumerate(rest)
        ]
        kept = self._history.chain[: index + 1]
        self._history.append(self._replayed(kept, (*self._state.clicks[:index], *again)))

    def _replayed(self, kept: Chain, clicks: tuple[Click, ...]) -> Chain:
        """The states of all `clicks`, of which `kept` has the first."""
        photo = self._require_photo()
        for count in range(len(kept), len(clicks) + 1):
            kept = (*kept, self._protocol.advance(self._config, photo, kept[-1], clicks[:count]))
        return kept

    def _existing(self, index: int) -> int:
        count = len(self._state.clicks)
        if not isinstance(index, int | np.integer) or not 0 <= index < count:
            raise UsageError(
                f"there is no click {index}: pass its place in the list of {count} clicks, "
                "counted from 0."
            )
        return int(index)

    def _click(self, row: float, column: float, positive: bool, *, order: int) -> Click:
        height, width = self._require_photo().size
        try:
            position = float(row), float(column)
        except (TypeError, ValueError):
            position = math.nan, math.nan
        if not (0 <= position[0] < height and 0 <= position[1] < width):
            raise ClickError(
                f"click {order + 1} at row {row}, column {column} is outside the image of "
                f"{height} rows and {width} columns: click inside it (rows count from the top, "
                "columns from the left)."
            )
        offset = 0 if self._state.given is None else self._order_after_mask
        return Click(*position, positive=bool(positive), order=order + offset)

    def undo(self) -> NDArray[np.bool_]:
        """Take the last click, removal or move back and return the mask before it.

        Raises:
            UsageError: nothing to take back.
        """
        if not self._history.move(-1):
            raise UsageError("there is no click to undo: click first.")
        return self.mask

    def redo(self) -> NDArray[np.bool_]:
        """Make again what was undone last and return the mask after it.

        Raises:
            UsageError: nothing was undone, or another edit followed.
        """
        if not self._history.move(1):
            raise UsageError("there is nothing to redo: undo a click first.")
        return self.mask

    def reset(self) -> None:
        """Forget clicks, masks and history; keep the image."""
        self._history = History(State())

    def set_mask(self, mask: ArrayLike) -> None:
        """Start from an external mask; forgets clicks and history.

        Args:
            mask: [H, W] of the image, bool, or probabilities 0…1 as floats; copied.

        Raises:
            ShapeError: another size or type.
            UsageError: values out of range, no image yet, or a graph without `prev_mask` input.
        """
        photo = self._require_photo()
        if not self._config.runtime.spec.prev_mask:
            raise UsageError(
                "this model has no previous-mask input and cannot start from a mask: use a model "
                "trained with prev_mask."
            )
        array = np.asarray(mask)
        is_number = array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating)
        if not is_number or array.shape != photo.size:
            raise ShapeError(
                f"the mask is {array.dtype} {list(array.shape)}: pass bool or float "
                f"{list(photo.size)}, the size of the image."
            )
        if array.dtype != np.bool_ and not bool(((array >= 0) & (array <= 1)).all()):
            raise UsageError("the mask has values outside 0…1: pass probabilities or a bool mask.")
        given = array.astype(np.float32)
        given.setflags(write=False)
        self._history = History(self._protocol.begin(self._config, photo, given))

    def log(self) -> dict[str, Any]:
        """The clicks and what decides about their masks, for a JSON file; see `session.log`.

        Raises:
            UsageError: no image yet.
        """
        return as_log(self._config, self._name, self._require_photo().size, self._state)

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
        photo = self._require_photo()
        if self._shown is None or self._shown[0] is not self._state:
            found = self._protocol.probabilities(self._config, photo, self._state)
            found.setflags(write=False)
            self._shown = self._state, found
        return self._shown[1]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The selection, bool [H, W].

        Raises:
            UsageError: no image yet.
        """
        return self.mask_at(*(np.arange(length) for length in self._require_photo().size))

    def mask_at(self, rows: ArrayLike, columns: ArrayLike) -> NDArray[np.bool_]:
        """The selection at some positions, as for a screen that shows the photo larger or smaller.

        Args:
            rows, columns: [h] and [w], image pixels, fractions allowed; False beyond the image.

        Returns:
            bool [h, w].

        Raises:
            ShapeError: not two lists of numbers.
            UsageError: no image yet.
        """
        photo = self._require_photo()
        try:
            at = [np.asarray(each, np.float32) for each in (rows, columns)]
            usable = all(each.ndim == 1 and np.isfinite(each).all() for each in at)
        except (TypeError, ValueError):
            usable = False
        if not usable:
            raise ShapeError(
                "rows and columns are no lists of numbers: pass one position per row and column."
            )
        return self._protocol.mask_at(self._config, photo, self._state, (at[0], at[1]))

    @property
    def zoom_roi(self) -> tuple[int, int, int, int] | None:
        """Stored crop (first row, last row, first column, last column); None without."""
        return self._state.roi

    def _require_photo(self) -> Photo:
        if self._photo is None:
            raise UsageError("the session has no image: call set_image first.")
        return self._photo
