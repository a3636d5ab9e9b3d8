"""How a crop of any shape is shown to a graph of one size; measured in docs/fixed-size.md.

"context"    the crop is enlarged along its shorter side, with the photo around it, to the shape of
             the graph; where the photo ends, black is added. Scale and shape of the object are
             those of the published zoom-in, and the network sees more of its surroundings.
"letterbox"  the crop as it is, black beside it.
"stretch"    the crop fills the graph, its shape is lost; the published "fixed" mode.
"""

from typing import Literal, get_args

from ..errors import UsageError
from .view import View
from .zoom_in import Roi, Size

Fit = Literal["context", "letterbox", "stretch"]
FITS: tuple[Fit, ...] = get_args(Fit)
DEFAULT_FIT: Fit = "context"


def check_fit(fit: str) -> Fit:
    """`fit` itself.

    Raises:
        UsageError: not one of `FITS`.
    """
    for known in FITS:
        if fit == known:
            return known
    raise UsageError(f"unknown fit '{fit}': choose {', '.join(FITS)}.")


def fitted_view(crop: Roi, image_size: Size, size: Size, fit: Fit) -> View:
    """The view of a crop for a graph of fixed size.

    Args:
        crop: in image pixels.
        image_size: (H, W) of the photo.
        size: (H, W) of the graph.
        fit: as the module describes.
    """
    if fit == "stretch":
        return View(crop, size)
    if fit == "context":
        crop = with_context(crop, image_size, size)
    rows, columns = crop.size
    scale = min(size[0] / rows, size[1] / columns)
    height = max(1, min(size[0], round(rows * scale)))
    width = max(1, min(size[1], round(columns * scale)))
    # In the middle, as photos smaller than a training crop are padded.
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return View(crop, size, Roi(top, top + height - 1, left, left + width - 1))


def with_context(crop: Roi, image_size: Size, shape: Size) -> Roi:
    """The crop enlarged along one side to the aspect ratio of `shape`, as far as the photo goes.

    It grows on both ends alike, and is moved where one of them would leave the photo.
    """
    rows, columns = crop.size
    wanted_rows = max(rows, round(columns * shape[0] / shape[1]))
    wanted_columns = max(columns, round(rows * shape[1] / shape[0]))
    top, bottom = _grown(crop.top, crop.bottom, wanted_rows, image_size[0])
    left, right = _grown(crop.left, crop.right, wanted_columns, image_size[1])
    return Roi(top, bottom, left, right)


def _grown(first: int, last: int, wanted: int, length: int) -> tuple[int, int]:
    wanted = min(wanted, length)
    start = first - (wanted - (last - first + 1)) // 2
    start = max(0, min(start, length - wanted))
    return start, start + wanted - 1
