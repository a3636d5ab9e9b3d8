"""The default protocol of a session: what people expect of an app.

Where it departs from the published evaluation:

* The first click sees the whole image, reduced to `max_side` (800 unless told otherwise).
* The crop holds all of the visible mask, at the threshold of the session (published: the box is
  taken at 0.5 while the mask is shown at 0.49, so that pixels in between can be cut off).
* When the mask vanishes the crop is forgotten and the next result covers the whole image
  (published: it is squeezed into the old crop).
* A positive click on the last row or column of the crop counts as inside it.
* An external mask stands for the previous prediction once, own predictions follow; the zoom
  follows it from the first click on.
* No side of a network input is below 32 pixels.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..clicks import Click
from .fit import fitted_view
from .state import Photo, Probabilities, SessionConfig, State, run_views
from .view import View
from .zoom_in import Roi, Size, bounding_box, box_iou, scaled_to, whole_image

# Dynamic graphs are declared for 32 pixels and more (`IOSpec`), one cell of HRNet's coarsest scale.
MIN_SIDE = 32
# A photo of 12 megapixels would need tens of GB in the network; benchmark photos are smaller.
MAX_SIDE = 800


def advance(
    config: SessionConfig,
    image: Photo,
    state: State,
    previous: Probabilities,
    clicks: tuple[Click, ...],
) -> State:
    """See `SessionProtocol`."""
    size = (image.shape[0], image.shape[1])
    roi = _crop(config, state, previous, clicks)
    seen = whole_image(size) if roi is None else roi
    fixed = config.runtime.spec.size
    if fixed is None:
        view = View(seen, _network_size(config, roi, size))
    else:
        view = fitted_view(seen, size, fixed, config.fit)
    output = run_views(config, [view], image, previous, clicks)
    return replace(state, clicks=clicks, roi=roi, output=output, placed=view.roi)


def _crop(
    config: SessionConfig, state: State, previous: Probabilities, clicks: Sequence[Click]
) -> Roi | None:
    """The rectangle to zoom into; None for the whole image."""
    zoom = config.zoom_in
    if zoom is None or (len(clicks) <= zoom.skip_clicks and state.given is None):
        return None
    box = bounding_box(previous > np.float32(config.threshold), clicks)
    if box is None:
        return None
    wanted = zoom.expand(box, (previous.shape[0], previous.shape[1]))
    old = state.roi
    if old is not None and old.contains(box) and box_iou(wanted, old) >= zoom.recompute_iou:
        return old
    return wanted


def _network_size(config: SessionConfig, roi: Roi | None, image_size: Size) -> Size:
    size = image_size if roi is None or config.zoom_in is None else config.zoom_in.crop_size(roi)
    max_side = MAX_SIDE if config.max_side is None else config.max_side
    if max(size) > max_side:
        size = scaled_to(size, max_side)
    return max(size[0], MIN_SIDE), max(size[1], MIN_SIDE)
