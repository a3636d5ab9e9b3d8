"""Masks of COCO's and LVIS's annotations: polygons and run lengths, through pycocotools."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import DatasetError
from ritm_edge.optional import require

Rle = dict[str, Any]
MAX_COORDINATE = 100_000  # the rasteriser's memory grows with the length of an edge


def to_rle(segmentation: Any, height: int, width: int) -> Rle:
    """Compressed run lengths of a polygon list, of plain counts or of compressed ones.

    Raises:
        DatasetError: none of the three, or of another size.
    """
    api = require("pycocotools.mask", extra="train")
    try:
        if isinstance(segmentation, list):
            polygons = [_polygon(part) for part in segmentation]
            if not polygons:
                raise ValueError("no polygon")
            return dict(api.merge(api.frPyObjects(polygons, height, width)))
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(f"run lengths of {segmentation['size']}")
        counts = segmentation["counts"]
        if isinstance(counts, list):
            if sum(_whole(count) for count in counts) != height * width:
                raise ValueError("run lengths that do not fill the photo")
            return dict(api.frPyObjects(segmentation, height, width))
        return _checked({"size": [height, width], "counts": counts})
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise DatasetError(f"a mask that cannot be read ({error})") from error


def decode(rle: Rle) -> NDArray[np.bool_]:
    """bool [H, W].

    Raises:
        DatasetError: counts that do not fill the size.
    """
    api = require("pycocotools.mask", extra="train")
    try:
        return np.ascontiguousarray(api.decode(_checked(rle))).astype(bool)
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"a mask that cannot be read ({error})") from error


def encode(mask: NDArray[np.bool_]) -> str:
    """Compressed counts as text."""
    api = require("pycocotools.mask", extra="train")
    rle = api.encode(np.asfortranarray(mask, dtype=np.uint8))
    text: str = rle["counts"].decode("ascii")
    return text


def _polygon(part: Any) -> list[float]:
    values = [float(value) for value in part]
    if len(values) < 6 or len(values) % 2 or not np.isfinite(values).all():
        raise ValueError(f"a polygon of {len(values)} numbers")
    if max(map(abs, values)) > MAX_COORDINATE:
        raise ValueError("a polygon far outside")
    return values


def _whole(count: Any) -> int:
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"the run length {count!r}")
    return count


def _checked(rle: Rle) -> Rle:
    """The C decoder trusts its input: let compressed counts add up before it sees them."""
    text = rle["counts"]
    data = text.encode("ascii") if isinstance(text, str) else bytes(text)
    height, width = rle["size"]
    if sum(_unpacked(data)) != height * width:
        raise ValueError("run lengths that do not fill the photo")
    return {"size": [height, width], "counts": data}


def _unpacked(data: bytes) -> list[int]:
    """Counts of the compressed form: groups of five bits, differences to the count before last."""
    counts: list[int] = []
    position = 0
    while position < len(data):
        value = shift = 0
        more = True
        while more:
            if position >= len(data) or shift > 30:
                raise ValueError("a cut run length")
            group = data[position] - 48
            if not 0 <= group < 64:
                raise ValueError("a character that is no run length")
            value |= (group & 31) << shift
            more = bool(group & 32)
            position += 1
            shift += 5
            if not more and group & 16:
                value |= -1 << shift
        if len(counts) > 2:
            value += counts[-2]
        if value < 0:
            raise ValueError("a negative run length")
        counts.append(value)
    return counts
