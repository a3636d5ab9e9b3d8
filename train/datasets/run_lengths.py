"""Masks of COCO's and LVIS's annotations: polygons and run lengths, through pycocotools."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import DatasetError
from ritm_edge.optional import require

Rle = dict[str, Any]
MAX_GROUPS = 7  # of five bits: more than any photo has pixels
MAX_COORDINATE = 100_000  # the rasteriser's memory grows with the length of an edge


def to_rle(segmentation: Any, height: int, width: int) -> Rle:
    """Compressed run lengths of a polygon list, of plain counts or of compressed ones. Raises
    DatasetError: none of the three, or of another size."""
    api = require("pycocotools.mask", extra="train")
    try:
        if isinstance(segmentation, list):
            return dict(api.merge(api.frPyObjects(polygons_of(segmentation), height, width)))
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
    """bool [H, W]. Raises DatasetError: counts that do not fill the size."""
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


def polygons_of(segmentation: Any) -> list[list[float]]:
    """Lists of x, y, x, y, … in pixels. Raises ValueError, TypeError: they are none."""
    polygons = [_polygon(part) for part in segmentation]
    if not polygons:
        raise ValueError("no polygon")
    return polygons


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
    """The C decoder leaves what the counts do not reach as it was in memory: let them add up."""
    text = rle["counts"]
    if not isinstance(text, str | bytes):
        raise ValueError("run lengths that are not text")
    data = text.encode("ascii") if isinstance(text, str) else text
    height, width = rle["size"]
    if unpacked(data).sum() != height * width:
        raise ValueError("run lengths that do not fill the photo")
    return {"size": [height, width], "counts": data}


def unpacked(data: bytes) -> NDArray[np.int64]:
    """Run lengths of the compressed form. Each number is written in groups of five bits, lowest
    first, a sixth bit telling that another group follows; from the fourth on it is the difference
    to the number before the last. Raises ValueError: no such text, or a negative length."""
    groups = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((groups & 32) == 0)
    if not groups.size or groups.min() < 0 or groups.max() > 63 or groups[-1] & 32:
        raise ValueError("text that is not run lengths")
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if sizes.max() > MAX_GROUPS:
        raise ValueError("a run length beyond all bounds")
    places = np.arange(groups.size) - np.repeat(starts, sizes)
    values = np.add.reduceat((groups & 31) << (5 * places), starts)
    values -= np.where(groups[ends] & 16, 1 << (5 * sizes), 0)
    for chain in (values[1::2], values[2::2]):
        np.cumsum(chain, out=chain)
    if values.min() < 0:
        raise ValueError("a negative run length")
    return values
