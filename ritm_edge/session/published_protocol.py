"""The published evaluation with all its peculiarities, which equal numbers need.

Roles of `State` here: `roi` outlives a vanished mask, and results for the whole image are then
squeezed into it. `given` replaces the previous prediction at every click. `limited` is
(size before the limit of the longer side when it last applied, size of the last result): the limit
never forgets the former, so that later crops are resampled once more.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..clicks import Click
from ..errors import UsageError
from .fit import fitted_view
from .resize import resize_bilinear
from .state import Mask, Photo, Positions, Probabilities, SessionConfig, State, run_views
from .view import View, paste
from .zoom_in import Roi, Size, ZoomIn, bounding_box, box_iou, scaled_to, whole_image

# Fixed in the published code, beside the adjustable recompute_iou.
REPEAT_IOU = 0.5


def begin(_config: SessionConfig, _photo: Photo, given: Probabilities) -> State:
    """See `SessionProtocol`."""
    return State(given=given)


def advance(config: SessionConfig, photo: Photo, state: State, clicks: tuple[Click, ...]) -> State:
    """See `SessionProtocol`; with an external mask the first click is predicted twice."""
    previous = state.probabilities(photo.size) if state.given is None else state.given
    state = replace(state, clicks=clicks)
    if state.given is not None and len(clicks) == 1:
        state = _predict(config, photo, state, state.given)
    return _predict(config, photo, state, previous)


def probabilities(_config: SessionConfig, photo: Photo, state: State) -> Probabilities:
    """See `SessionProtocol`."""
    return state.probabilities(photo.size)


def mask_at(config: SessionConfig, photo: Photo, state: State, at: Positions) -> Mask:
    """See `SessionProtocol`; what the nearest pixel of the photo is."""
    nearest = (
        np.clip(np.round(each), 0, length - 1).astype(np.intp)
        for each, length in zip(at, photo.size, strict=True)
    )
    # float32 on both sides: the published comparison decides pixels at the threshold.
    found: Mask = state.probabilities(photo.size) > np.float32(config.threshold)
    selected: Mask = found[np.ix_(*nearest)]
    return selected


def _predict(config: SessionConfig, photo: Photo, state: State, prev_mask: Probabilities) -> State:
    size = photo.size
    zoom = config.zoom_in
    roi, zoomed = state.roi, False
    if zoom is not None:
        roi, zoomed = _update_crop(zoom, state, size)
    views, limited = _views(config, roi if zoomed else None, size, state.limited)
    output = run_views(config, views, photo.pixels, prev_mask, state.clicks, roi)
    if config.max_side is not None:
        output, limited = _undo_limit(output, limited)
    # Even when the whole image was looked at, a stored crop is where the result goes.
    placed = views[0].roi if zoomed or roi is None else roi
    result = replace(state, roi=roi, output=output, placed=placed, limited=limited)
    if zoom is not None and roi is None and _worth_repeating(zoom, result, size):
        # The repetition starts from the own previous prediction, even beside an external mask.
        own = replace(state, given=None).probabilities(size)
        return _predict(config, photo, result, own)
    return result


def _object_box(zoom: ZoomIn, state: State, size: Size, clicks: Sequence[Click]) -> Roi | None:
    if state.output is None:
        return None
    predicted = replace(state, given=None).probabilities(size)
    box = bounding_box(predicted > np.float32(zoom.threshold), clicks)
    return None if box is None else zoom.expand(box, size)


def _update_crop(zoom: ZoomIn, state: State, size: Size) -> tuple[Roi | None, bool]:
    """The crop to store, and whether the network sees it (else the whole image)."""
    if len(state.clicks) <= zoom.skip_clicks:
        return state.roi, False
    wanted = _object_box(zoom, state, size, state.clicks)
    if wanted is None:
        if zoom.skip_clicks >= 0:
            return state.roi, False
        wanted = whole_image(size)
    old = state.roi
    if old is None or _click_outside(old, state.clicks):
        return wanted, True
    return (old if box_iou(wanted, old) >= zoom.recompute_iou else wanted), True


def _click_outside(roi: Roi, clicks: Sequence[Click]) -> bool:
    """Whether a positive click is off the crop; its last row and column count as off."""
    return any(
        click.row < roi.top
        or click.row >= roi.bottom
        or click.column < roi.left
        or click.column >= roi.right
        for click in clicks
        if click.positive
    )


def _worth_repeating(zoom: ZoomIn, state: State, size: Size) -> bool:
    if zoom.skip_clicks > 0:
        return False
    wanted = _object_box(zoom, state, size, ())
    return wanted is not None and box_iou(wanted, whole_image(size)) < REPEAT_IOU


def _views(
    config: SessionConfig, crop: Roi | None, size: Size, limited: tuple[Size | None, Size | None]
) -> tuple[list[View], tuple[Size | None, Size | None]]:
    roi = whole_image(size) if crop is None else crop
    fixed = config.runtime.spec.size
    if fixed is not None:
        return [fitted_view(roi, size, fixed, config.fit)], limited
    seen = size if crop is None or config.zoom_in is None else config.zoom_in.crop_size(crop)
    views = [View(roi, seen)]
    if config.max_side is not None and max(seen) > config.max_side:
        views.append(View(whole_image(seen), scaled_to(seen, config.max_side)))
        limited = (seen, limited[1])
    return views, limited


def _undo_limit(
    output: Probabilities, limited: tuple[Size | None, Size | None]
) -> tuple[Probabilities, tuple[Size | None, Size | None]]:
    before, last = limited
    if before is not None:
        output = resize_bilinear(output, before)
        if last is not None:
            if before[0] > last[0] or before[1] > last[1]:
                raise UsageError(
                    f"the published limit of the longer side fails here (a result of {before} "
                    f"into {last}): leave max_side out, or use the app protocol."
                )
            output = paste(output, whole_image(before), last)
    height, width = output.shape
    return output, (before, (height, width))
