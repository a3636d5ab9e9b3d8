"""What a mask file means, by its kind: judged by brightness alone, label maps would be empty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, UsageError
from ..io_spec import MASK_THRESHOLD
from .images_deep import Pixels, UnknownRangeError, scaled

LABEL_MAP, BINARY, ALPHA, LEVELS = "a label map", "a binary mask", "an alpha channel", "grey levels"
TRIMAP = "a trimap (255 is the object, 128 is ignored)"
IGNORED = -1
FEW = 32  # with more values than this, a label map is recognised by its flat regions
LISTED = 10


@dataclass(frozen=True)
class Mask:
    """A mask file as it was understood: a kind (LABEL_MAP, BINARY, TRIMAP, ALPHA or LEVELS), labels
    as int32 [H, W] (0 background, 1… objects, `IGNORED` what counts neither way) and, of a file of
    probabilities, levels as float32 [H, W], 0…1, whose labels are 1 above 0.49."""

    kind: str
    labels: NDArray[np.int32]
    levels: NDArray[np.float32] | None = None

    def select(self, name: object, label: int | None) -> tuple[NDArray[np.float32], str]:
        """Probabilities of all objects, or of one id of a label map, and how `name` was read.
        Raises ImageError: nothing is selected; UsageError: no such id, or not a label map."""
        ids = [int(each) for each in np.unique(self.labels) if each > 0]
        text = f"{name} was read as {self.kind}"
        if not ids:
            raise ImageError(f"{text} and selects nothing: pass a mask with an object in it.")
        if label is not None and self.kind != LABEL_MAP:
            raise UsageError(f"{text}, which has no label {label}: leave the label out.")
        if label not in (None, *ids):
            listed = ", ".join(map(str, ids))
            raise UsageError(f"{text} and has no label {label}: choose one of {listed}.")
        if self.kind == LABEL_MAP:
            listed = ", ".join(map(str, ids[:LISTED])) + (" …" if len(ids) > LISTED else "")
            chosen = "all of them are" if label is None else f"{label} is"
            ignored = ", 255 is ignored" if (self.labels == IGNORED).any() else ""
            text += f" with ids {listed}; {chosen} the object{ignored}"
        if self.levels is not None:
            return self.levels, f"{text}."
        found = self.labels > 0 if label is None else self.labels == label
        return found.astype(np.float32), f"{text}."


def understand(pixels: Pixels) -> Mask:
    """The mask that a decoded file holds. Raises UnknownRangeError: floats outside 0…1, or many
    colours."""
    colour, alpha, indices = pixels.colour, pixels.alpha, pixels.indices
    if indices is not None and _holds_ids(pixels, indices):
        return _label_map(indices)
    if alpha is not None and (np.ptp(alpha) or not alpha.any()):
        if len(np.unique(alpha)) == 2:
            return Mask(ALPHA, (alpha == alpha.max()).astype(np.int32))
        return _levels(scaled(alpha), ALPHA)
    if colour.ndim == 2 or (colour == colour[..., :1]).all():
        return _one_channel(colour if colour.ndim == 2 else colour[..., 0], pixels)
    if colour.dtype != np.uint8:
        colour = (scaled(colour) * np.float32(255)).astype(np.uint8)
    codes, places = np.unique(colour @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
    places = places.reshape(colour.shape[:2])
    if not pixels.lossy and not _blends(places, len(codes) - 1):
        numbers = _voc_numbers(codes)
        if numbers.max() > 255:  # not Pascal VOC's: by rising red, green and blue
            objects = codes != (0 if codes[0] == 0 else 0xFFFFFF)
            numbers = np.cumsum(objects) * objects
        return _label_map(numbers[places])
    if np.count_nonzero(colour.any(axis=(0, 1))) == 1 or np.ptp(colour, axis=2).max() <= 16:
        return _levels(scaled(colour.max(axis=2)), LEVELS)  # one ink, or noise of a lossy file
    reason = f"is a picture of {len(codes)} colours that blend into each other"
    raise UnknownRangeError(reason, "pass a label map, or a mask in black and white or grey")


def _holds_ids(pixels: Pixels, indices: NDArray[np.uint8]) -> bool:
    """Whether a palette image means its indices and not its colours, as cut-outs do, and masks
    that an optimiser gave a palette."""
    background, grey = indices == 0, pixels.colour[..., :1]
    if pixels.alpha is not None:
        return bool((pixels.alpha[~background] == 255).all())
    black = ~pixels.colour.any(axis=2)
    if background.any() and black.any() and not black[background].any():
        return False
    if (pixels.colour != grey).any():
        return not _blends(indices, 256)  # as in a photo of 256 colours
    return _one_channel(grey[..., 0], pixels).kind == LABEL_MAP


def _voc_numbers(codes: NDArray[Any]) -> NDArray[Any]:
    """Places of colours 0xRRGGBB in Pascal VOC's palette: a number's bits, from the lowest, are
    the highest of red, green and blue, then the next of each, and so on."""
    places = [(bit, channel) for bit in range(8) for channel in range(3)]
    bits = [(codes >> (23 - 8 * c - b) & 1) << (3 * b + c) for b, c in places]
    return np.asarray(np.sum(bits, axis=0))


def _one_channel(values: NDArray[Any], pixels: Pixels) -> Mask:
    if values.dtype.kind == "f":
        if ((values >= 0) & (values <= 65535) & (values == np.rint(values))).all():
            values = values.astype(np.uint16)
        elif ((values >= 0) & (values <= 1)).all():
            return _levels(values.astype(np.float32), LEVELS)
        else:
            raise UnknownRangeError("has float values outside 0 to 1")
    if values.max() == 65535 and not (values % 257).any():
        values = values // 257  # 8 bits in a 16-bit file
    ids = values // pixels.step
    top = 255 // pixels.step if values.max() <= 255 else 65535
    present = set(np.flatnonzero(np.bincount(ids.ravel())).tolist()) - {0}
    if present <= {1} or present == {top}:
        return Mask(BINARY, (ids > 0).astype(np.int32))
    if present in ({128, 255}, {127, 255}):
        return Mask(TRIMAP, np.select([ids == 255, ids > 0], [1, IGNORED]).astype(np.int32))
    if pixels.lossy or _blends(ids, top):
        return _levels(scaled(values), LEVELS)
    return _label_map(ids)


def _label_map(ids: NDArray[Any]) -> Mask:
    labels = ids.astype(np.int32)
    ignored = labels == (255 if labels.max() <= 255 else 65535)
    if ((labels > 0) & ~ignored).any():
        labels[ignored] = IGNORED
    return Mask(LABEL_MAP, labels)


def _levels(levels: NDArray[np.float32], kind: str) -> Mask:
    return Mask(kind, (levels > np.float32(MASK_THRESHOLD)).astype(np.int32), levels)


def _blends(values: NDArray[Any], top: int) -> bool:
    """Whether values between 0 and `top` blend into each other and do not form regions."""
    counts = np.bincount(values.ravel(), minlength=top + 1)
    used = np.flatnonzero(counts[1:top]) + 1
    if len(used) <= FEW and counts[used].sum() >= counts[top]:
        return False
    here = values[:-1, :-1]
    flat = here[(here == values[1:, :-1]) & (here == values[:-1, 1:])]
    # By value, so that the plateaus of a probability map do not outvote its slopes.
    share = (np.bincount(flat, minlength=top)[used] / counts[used]).mean() if len(used) else 1
    if len(used) <= FEW:
        return bool(share < 0.25)
    across, down = (np.abs(np.diff(values.astype(np.int32), axis=i)).ravel() for i in (0, 1))
    steps = np.concatenate((across, down))
    return bool(share < 0.5 or (steps[steps > 0] <= 2).mean() > 0.75)
