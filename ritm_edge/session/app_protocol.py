"""The default protocol of a session: what people expect of an app.

Where it departs from the published evaluation:

* The first click sees the whole image, reduced to `max_side` (800 unless told otherwise).
* The crop holds all of the visible mask, at the threshold of the session (published: the box is
  taken at 0.5 while the mask is shown at 0.49, so that pixels in between can be cut off).
* When the mask vanishes the crop is forgotten and the next result covers the whole image
  (published: it is squeezed into the old crop).
* A positive click on the last row or column of the crop counts as inside it.
* An external mask is seen through the crop around it and stands for the previous prediction
  once, own predictions follow; the zoom follows it from the first click on.
* Everything is computed from the network's output and where it was placed (`geometry`), not from
  maps of the photo's size.
* No side of a network input is below 32 pixels.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click, pack_clicks
from ..io_spec import CLICKS, IMAGE, MASK, MASK_LOGITS, PREV_MASK
from .geometry import NONE, NUMPY, Frame, Rect, average, find_crop, mix
from .predictor import mean_probabilities, visible_slots
from .state import Mask, Photo, Positions, Probabilities, SessionConfig, State
from .zoom_in import Roi, Size, bounding_box, scaled_to, whole_image

# Dynamic graphs are declared for 32 pixels and more (`IOSpec`), one cell of HRNet's coarsest scale.
MIN_SIDE = 32
# A photo of 12 megapixels would need tens of GB in the network; benchmark photos are smaller.
MAX_SIDE = 800
# Rows that are computed at a time, so that what they need stays in the processor's caches.
BLOCK = 32


def begin(config: SessionConfig, photo: Photo, given: Probabilities) -> State:
    """See `SessionProtocol`."""
    box = bounding_box(given > np.float32(config.threshold))
    roi = None if box is None else _zoomed(config, box, (), None, photo.size)
    frame, seen = _view(config, roi, photo.size)
    output = _cut(frame, given, seen)
    return State(output=content(frame, output, seen), placed=_roi(seen), given=given)


def advance(config: SessionConfig, photo: Photo, state: State, clicks: tuple[Click, ...]) -> State:
    """See `SessionProtocol`."""
    spec = config.runtime.spec
    slots = visible_slots(clicks, spec, config.click_limit)
    packed = pack_clicks(clicks[: config.click_limit], max_clicks=slots).astype(np.float32)
    roi = _crop(config, state, clicks, photo.size)
    frame, seen = _view(config, roi, photo.size)
    placed = _roi(seen)
    inputs: dict[str, NDArray[np.float32]] = {
        IMAGE: photo.shown((placed, frame.shape), lambda: _network_image(frame, photo, seen)),
        CLICKS: frame.clicks(packed[0], seen)[None],
    }
    if spec.prev_mask:
        shown = np.zeros(frame.shape, np.float32)
        if state.output is not None and state.placed is not None:
            source = Frame(NUMPY, state.output.shape, "stretch")
            shown = frame.previous(source, state.output, rect(state.placed), seen)
        inputs[PREV_MASK] = np.ascontiguousarray(shown)[None, None]
    output = content(frame, _run(config, inputs), seen)
    return replace(state, clicks=clicks, roi=roi, output=output, placed=placed)


def probabilities(_config: SessionConfig, photo: Photo, state: State) -> Probabilities:
    """See `SessionProtocol`."""
    if state.output is None or state.placed is None or not state.clicks:
        return replace(state, output=None).probabilities(photo.size)
    frame = Frame(NUMPY, state.output.shape, "stretch")
    rows, columns = (np.arange(length, dtype=np.float32) for length in photo.size)
    return np.asarray(frame.over(state.output, rect(state.placed), rows, columns), np.float32)


def mask_at(config: SessionConfig, photo: Photo, state: State, at: Positions) -> Mask:
    """See `SessionProtocol`; interpolated between network pixels."""
    (rows, columns), output, placed = at, state.output, state.placed
    if not state.clicks and state.given is not None:
        output, placed = state.given, whole_image(photo.size)
    mask = np.zeros((len(rows), len(columns)), np.bool_)
    if output is None or placed is None:
        return mask
    frame, shown = Frame(NUMPY, output.shape, "stretch"), rect(placed)
    box, _ = frame.box(output, shown, config.threshold)
    # A pixel more on each side, since the ends of the box are rounded.
    lines, right = (
        np.flatnonzero((each >= box.start[axis] - 1) & (each <= box.end[axis] + 1))
        for axis, each in enumerate(at)
    )
    if not lines.size or not right.size:
        return mask
    across = slice(right[0], right[-1] + 1)
    by_columns = frame.values(np.ascontiguousarray(output.T), shown, columns[across], 1)
    by_columns = np.ascontiguousarray(by_columns.T)
    for first in range(lines[0], lines[-1] + 1, BLOCK):
        block = slice(first, min(first + BLOCK, lines[-1] + 1))
        found = frame.values(by_columns, shown, rows[block], 0) > np.float32(config.threshold)
        mask[block, across] = found
    return mask


def rect(roi: Roi | None) -> Rect:
    """The rectangle as vectors; all `NONE` without one."""
    top, bottom, left, right = (NONE,) * 4 if roi is None else roi
    return Rect(NUMPY.vector(top, left), NUMPY.vector(bottom, right))


def _roi(found: Rect) -> Roi:
    (top, left), (bottom, right) = (map(int, ends) for ends in found)
    return Roi(top, bottom, left, right)


def _crop(config: SessionConfig, state: State, clicks: tuple[Click, ...], size: Size) -> Roi | None:
    """The rectangle to zoom into; None for the whole image."""
    zoom = config.zoom_in
    if zoom is None or (len(clicks) <= zoom.skip_clicks and state.given is None):
        return None
    box = object_box(config, state)
    if box is None:
        return None
    return _zoomed(config, box, clicks, state.roi, size)


def _zoomed(
    config: SessionConfig, box: Roi, clicks: tuple[Click, ...], old: Roi | None, size: Size
) -> Roi | None:
    if config.zoom_in is None:
        return None
    packed = pack_clicks(clicks)[0].astype(np.float32)
    extent = NUMPY.vector(*size)
    return _roi(find_crop(NUMPY, config.zoom_in, rect(box), packed, rect(old), extent))


def object_box(config: SessionConfig, state: State) -> Roi | None:
    """The rectangle around the object of the last output, in photo pixels; None without one."""
    if state.output is None or state.placed is None:
        return None
    frame = Frame(NUMPY, state.output.shape, "stretch")
    box, found = frame.box(state.output, rect(state.placed), config.threshold)
    return _roi(box) if found else None


def _view(config: SessionConfig, roi: Roi | None, size: Size) -> tuple[Frame, Rect]:
    """What the network is shown of the photo for a crop, and in which frame."""
    fixed = config.runtime.spec.size
    crop = rect(whole_image(size) if roi is None else roi)
    if fixed is None:
        return Frame(NUMPY, _network_size(config, roi, size), "stretch"), crop
    frame = Frame(NUMPY, fixed, config.fit)
    return frame, frame.seen(crop, NUMPY.vector(*size))


def _cut(frame: Frame, array: NDArray[Any], seen: Rect) -> NDArray[np.float32]:
    """The rectangle of an [h, w] or [h, w, channels] array, float32 at network size."""
    (rows, row_weights), (columns, column_weights) = (frame.samples(seen, axis) for axis in (0, 1))
    rows, columns = rows.astype(np.intp), columns.astype(np.intp)
    height, width = frame.shape
    # Channels count as columns, so that NumPy has long lines to work on.
    channels = int(np.prod(array.shape[2:]))
    column_weights = column_weights.repeat(channels)
    result = np.empty((height, width * channels), np.float32)
    for first in range(0, height, BLOCK):
        last = min(first + BLOCK, height)
        lines = np.r_[first:last, height + first : height + last]
        pixels = array.take(rows[lines], 0).take(columns, 1).astype(np.float32)
        pixels = mix(NUMPY, pixels.reshape(len(lines), -1), row_weights[lines], 0)
        result[first:last] = mix(NUMPY, pixels, column_weights, 1)
    return result.reshape(height, width, *array.shape[2:])


def _network_image(frame: Frame, photo: Photo, seen: Rect) -> NDArray[np.float32]:
    image = _cut(frame, photo.pixels, seen).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(image)


def content(frame: Frame, output: NDArray[np.float32], seen: Rect) -> NDArray[np.float32]:
    """The part of a network output that shows the rectangle."""
    first, length = frame.place(seen)
    (top, left), (height, width) = map(int, first), map(int, length)
    return output[top : top + height, left : left + width]


def _run(config: SessionConfig, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Probabilities [H, W], averaged with those of the mirrored inputs where that is wanted."""
    straight = config.runtime.run(inputs)
    if not config.flip:
        return np.asarray(straight[MASK][0, 0])
    mirrored = {name: np.ascontiguousarray(array[..., ::-1]) for name, array in inputs.items()}
    clicks = inputs[CLICKS].copy()
    used = clicks[..., 2] >= 0
    clicks[used, 1] = inputs[IMAGE].shape[3] - 1 - clicks[used, 1]
    mirror = config.runtime.run({**mirrored, CLICKS: clicks})
    if MASK_LOGITS in straight:
        return mean_probabilities(straight, mirror)
    return np.asarray(average(NUMPY, straight[MASK][0, 0], mirror[MASK][0, 0, :, ::-1]))


def _network_size(config: SessionConfig, roi: Roi | None, image_size: Size) -> Size:
    size = image_size if roi is None or config.zoom_in is None else config.zoom_in.crop_size(roi)
    max_side = MAX_SIDE if config.max_side is None else config.max_side
    if max(size) > max_side:
        size = scaled_to(size, max_side)
    return max(size[0], MIN_SIDE), max(size[1], MIN_SIDE)
