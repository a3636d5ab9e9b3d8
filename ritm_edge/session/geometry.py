"""The step of an app session at network resolution, defined once for every array library.

NumPy computes it in a session, PyTorch and TensorFlow turn the same lines into the graphs that an
artifact carries, hence the namespace `xp`. docs/session.md tells it in words. All numbers are
float32, and only operations are used that every processor rounds alike; rectangles are pairs of
vectors [2] (row, column) of whole photo pixels, both ends belonging to them.
"""

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .fit import Fit
from .zoom_in import ZoomIn

NONE = -1.0  # every number of a rectangle that is not there
_FAR = 1e9
# Closer to 1 no float32 is; as near to 0, so that an average is the same for both.
_SATURATED = 2.0**-23

# What a namespace offers; `rows` gathers along the first axis, at float32 positions.
NUMPY = SimpleNamespace(
    floor=np.floor, round=np.round, sqrt=np.sqrt, where=np.where,
    minimum=np.minimum, maximum=np.maximum, concat=np.concatenate,
    reshape=np.reshape, transpose=np.transpose,
    max=lambda values, axis: np.max(values, axis, keepdims=True),
    min=lambda values, axis: np.min(values, axis, keepdims=True),
    rows=lambda values, at: values.take(at.astype(np.intp), 0),
    vector=lambda *numbers: np.array(numbers, np.float32),
    arange=lambda count: np.arange(count, dtype=np.float32),
    number=lambda values: values.astype(np.float32),
)  # fmt: skip


class Rect(NamedTuple):
    """First and last (row, column), vectors [2]."""

    start: Any
    end: Any


class Frame:
    """A network input of one size, and how a rectangle of the photo is shown in it.

    Args:
        xp: namespace of the array library, see `NUMPY`.
        side: (H, W) of the network input.
        fit: see `ritm_edge.session.fit`; "stretch" where the size was made for the rectangle.
    """

    def __init__(self, xp: Any, side: tuple[int, ...], fit: Fit) -> None:
        self.xp, self.fit, self.shape = xp, fit, side
        self.side = xp.vector(*side)

    def seen(self, crop: Rect, size: Any) -> Rect:
        """The rectangle to show for a crop of a photo of `size` [2]."""
        if self.fit != "context":
            return crop
        xp, count = self.xp, crop.end - crop.start + 1
        wanted = xp.round(self._swap(count) * self.side / self._swap(self.side))
        wanted = xp.minimum(xp.maximum(count, wanted), size)
        start = xp.maximum(crop.start - xp.floor((wanted - count) / 2), 0)
        start = xp.minimum(start, size - wanted)
        return Rect(start, start + wanted - 1)

    def place(self, shown: Rect) -> tuple[Any, Any]:
        """Where the rectangle `shown` is in the network input: first pixel and length, [2] each."""
        xp, count = self.xp, shown.end - shown.start + 1
        if self.fit == "stretch":
            return count * 0, count * 0 + self.side
        length = xp.round(count * self._swap(self.side) / self._swap(count))
        length = xp.maximum(xp.minimum(length, self.side), 1)
        return xp.floor((self.side - length) / 2), length

    def box(self, output: Any, placed: Rect, threshold: float) -> tuple[Rect, Any]:
        """Smallest rectangle around the object, and whether there is one, bool [1].

        Its ends are where `output` [H, W], interpolated between network pixels, crosses the
        threshold; photo pixels beyond them cannot be object. There is an object where a network
        pixel is above the threshold, even if all pixels of a coarser photo fall beside it.
        """
        xp = self.xp
        first, length = self.place(placed)
        inside = [
            (index >= first[axis : axis + 1]) & (index < (first + length)[axis : axis + 1])
            for axis, index in enumerate(map(xp.arange, self.shape))
        ]
        above = xp.where(inside[0][:, None] & inside[1][None, :], output - threshold, -_FAR)
        ends = [self._crossings(above), self._crossings(xp.transpose(above))]
        span, steps = placed.end - placed.start, xp.maximum(length - 1, 1)
        # Multiplied first: on the last network pixel the quotient is exact.
        start, end = (
            (xp.concat([pair[which] for pair in ends], 0) - first) * span / steps
            for which in (0, 1)
        )
        # A single network pixel stands for every photo pixel of its axis.
        end = xp.where(length < 2, placed.end, xp.floor(end) + placed.start)
        start = -xp.floor(-start) + placed.start
        start, end = (
            xp.minimum(xp.maximum(each, placed.start), placed.end) for each in (start, end)
        )
        return Rect(start, end), xp.max(xp.max(above, 0)[0], 0) > 0

    def values(self, output: Any, placed: Rect, at: Any, axis: int) -> Any:
        """[len(at), …]: what `output`, shown at `placed`, is at photo rows or columns `at`.

        Its first axis is that of rows (`axis` 0) or columns (1); linear between network pixels,
        whose outermost centres lie on the ends of `placed`, and 0 beyond.
        """
        xp = self.xp
        first, length = (each[axis : axis + 1] for each in self.place(placed))
        start, end = (each[axis : axis + 1] for each in placed)
        position = (length - 1) / xp.maximum(end - start, 1) * (at - start)
        position = xp.maximum(xp.minimum(position, length - 1), 0)
        low = xp.floor(position)
        upper = position - low
        inside = xp.number((at >= start) & (at <= end))
        high = xp.minimum(low + 1, length - 1)
        result = xp.rows(output, low + first) * ((1 - upper) * inside)[:, None]
        return result + xp.rows(output, high + first) * (upper * inside)[:, None]

    def over(self, output: Any, placed: Rect, rows: Any, columns: Any) -> Any:
        """[rows, columns]: `output` at these photo positions."""
        xp = self.xp
        by_columns = xp.transpose(self.values(xp.transpose(output), placed, columns, 1))
        return self.values(by_columns, placed, rows, 0)

    def samples(self, seen: Rect, axis: int) -> tuple[Any, Any]:
        """Photo rows or columns to read, [2S]: the S lower, then the S upper ones; their weights.

        Corner-aligned: the outermost network pixels show the ends of `seen`.
        """
        xp = self.xp
        first, length = (each[axis : axis + 1] for each in self.place(seen))
        start, end = (each[axis : axis + 1] for each in seen)
        pixel = xp.arange(self.shape[axis]) - first
        inside = xp.number((pixel >= 0) & (pixel < length))
        pixel = xp.maximum(xp.minimum(pixel, length - 1), 0)
        position = (end - start) / xp.maximum(length - 1, 1) * pixel
        low = xp.minimum(xp.floor(position), end - start)
        upper = xp.minimum(position - low, 1)
        high = xp.minimum(low + 1, end - start)
        weights = xp.concat([(1 - upper) * inside, upper * inside], 0)
        return xp.concat([low, high], 0) + start, weights

    def previous(self, source: "Frame", output: Any, placed: Rect, seen: Rect) -> Any:
        """[H, W]: the network input `prev_mask` that shows `output` of the frame `source`."""
        xp = self.xp
        (rows, row_weights), (columns, column_weights) = (self.samples(seen, a) for a in (0, 1))
        mixed = mix(xp, source.values(output, placed, rows, 0), row_weights, 0)
        mixed = source.values(xp.transpose(mixed), placed, columns, 1)
        return xp.transpose(mix(xp, mixed, column_weights, 0))

    def clicks(self, clicks: Any, seen: Rect) -> Any:
        """[2K, 3]: `clicks` (row, column, order) in network pixels; empty slots stay −1."""
        xp = self.xp
        first, length = self.place(seen)
        moved = first + length * (clicks[:, :2] - seen.start) / (seen.end - seen.start + 1)
        return xp.concat([xp.where(clicks[:, 2:] >= 0, moved, NONE), clicks[:, 2:]], 1)

    def _swap(self, pair: Any) -> Any:
        return self.xp.concat([pair[1:], pair[:1]], 0)

    def _crossings(self, above: Any) -> tuple[Any, Any]:
        """First and last position, [1] each, along the first axis where `above` is positive."""
        xp, count = self.xp, above.shape[0]
        index, highest = xp.arange(count), xp.max(above, 1)[:, 0]
        first = xp.min(xp.where(highest > 0, index, count - 1.0), 0)
        last = xp.max(xp.where(highest > 0, index, 0.0), 0)
        return first - self._share(above, first, -1), last + self._share(above, last, 1)

    def _share(self, above: Any, at: Any, step: int) -> Any:
        """How far beyond the line `at` the threshold is crossed, 0…1 of a network pixel."""
        xp, last = self.xp, above.shape[0] - 1
        line, beyond = xp.rows(above, at), at + step
        clamped = xp.maximum(xp.minimum(beyond, last), 0)
        there = (beyond >= 0) & (beyond <= last)
        next_line = xp.where(there[:, None], xp.rows(above, clamped), -_FAR)
        positive = line > 0
        ratio = xp.where(positive, line, 0.0) / xp.where(positive, line - next_line, 1.0)
        return xp.max(ratio, 1)[:, 0]


def mix(xp: Any, values: Any, weights: Any, axis: int) -> Any:
    """The lower half of `values` along `axis` times its weights, plus the upper half times its."""
    count = weights.shape[0] // 2
    before = (slice(None),) * axis
    shape = [-1 if each == axis else 1 for each in range(len(values.shape))]
    low, high = (xp.reshape(half, shape) for half in (weights[:count], weights[count:]))
    return values[(*before, slice(0, count))] * low + values[(*before, slice(count, None))] * high


def find_crop(xp: Any, zoom: ZoomIn, box: Rect, clicks: Any, roi: Rect, size: Any) -> Rect:
    """The crop to zoom into: the stored one while it serves, else the object's with its margin.

    Args:
        xp: as in `Frame`.
        zoom: its `expansion`, `min_crop` and `recompute_iou`.
        box: of the object.
        clicks: [2K, 3] in photo pixels, as the graph takes them.
        roi: stored crop; `NONE` without.
        size: (rows, columns) of the photo.
    """
    positive = xp.floor(clicks[: clicks.shape[0] // 2, :2])
    nearest = xp.min(xp.where(positive >= 0, positive, _FAR), 0)[0]
    start = xp.minimum(box.start, nearest)
    end = xp.maximum(box.end, xp.max(positive, 0)[0])
    half = xp.maximum((end - start + 1) * zoom.expansion, zoom.min_crop) * 0.5
    centre = (start + end) * 0.5
    wanted = Rect(*(xp.minimum(xp.maximum(xp.round(each), 0), size - 1)
                    for each in (centre - half, centre + half)))  # fmt: skip
    overlap = xp.minimum(wanted.end, roi.end) - xp.maximum(wanted.start, roi.start) + 1
    hull = xp.maximum(wanted.end, roi.end) - xp.minimum(wanted.start, roi.start) + 1
    iou = xp.maximum(overlap, 0) / hull
    holds = (roi.start >= 0) & (roi.start <= start) & (roi.end >= end)
    keep = holds[:1] & holds[1:] & (iou[:1] * iou[1:] >= zoom.recompute_iou)
    return Rect(*(xp.where(keep, old, new) for old, new in zip(roi, wanted, strict=True)))


def average(xp: Any, straight: Any, mirror: Any) -> Any:
    """Probabilities whose logits are the means of those of two maps.

    Written without logarithms, whose last digits differ from library to library.
    """
    first, second = (
        xp.minimum(xp.maximum(each, _SATURATED), 1 - _SATURATED) for each in (straight, mirror)
    )
    yes, no = xp.sqrt(first * second), xp.sqrt((1 - first) * (1 - second))
    return yes / (yes + no)
