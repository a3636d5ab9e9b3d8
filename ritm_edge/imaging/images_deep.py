"""Pixels of any depth in one form, and files with more than 8 bits per channel.

Pillow keeps 16-bit greyscale but cuts 16-bit colour to its high byte (12-bit data would become
black) and does not open 12-bit colour TIFFs: OpenCV decodes those. Neither opens 12-bit JPEGs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

DEPTHS = (8, 10, 12, 14, 16)  # bits cameras and scanners store in 16-bit files
# OpenCV 5 moved the functions that set its log level.
_LOGGING: Any = getattr(cv2.utils, "logging", cv2)
_TIFF_MAGIC, _JPEG_MAGIC = (b"II*\x00", b"MM\x00*"), b"\xff\xd8"
_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_JPEG_COMPRESSIONS = (6, 7)  # the old and the new way


class UnknownRangeError(ValueError):
    """Pixels that cannot be understood: the predicate of a sentence, and advice if it is not to
    save the file with 8 or 16 bits per channel."""


@dataclass(frozen=True)
class Pixels:
    """A decoded picture.

    Attributes:
        colour: uint8, uint16 or float32, [H, W] or [H, W, 3] (RGB).
        alpha: the same type, [H, W]; None where everything is opaque.
        indices: uint8 [H, W] into the palette; None where there is none, and in GIFs, whose
            encoders renumber it.
        step: between the values that the file can hold; 85 where 2 bits were spread over 8.
        lossy: whether the format has changed pixels.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None = None
    indices: NDArray[np.uint8] | None = None
    step: int = 1
    lossy: bool = False


def to_rgb8(pixels: Pixels) -> NDArray[np.uint8]:
    """uint8 [H, W, 3], composited on white. Raises UnknownRangeError: float pixels."""
    if pixels.colour.dtype.kind == "f":
        raise UnknownRangeError("has 32-bit pixels without a known range of brightness")
    colour = pixels.colour
    if colour.dtype != np.uint8:
        colour = np.rint(scaled(colour) * np.float32(255)).astype(np.uint8)
    if pixels.alpha is not None:
        alpha = scaled(pixels.alpha)
        alpha = alpha[..., None] if colour.ndim == 3 else alpha
        blended = colour * alpha + np.float32(255) * (1 - alpha)
        colour = np.rint(blended).astype(np.uint8)
    return colour if colour.ndim == 3 else np.repeat(colour[..., None], 3, axis=2)


def scaled(values: NDArray[Any]) -> NDArray[np.float32]:
    """0…1 by the smallest depth that holds the largest value."""
    brightest = int(values.max())
    bits = next(bits for bits in DEPTHS if brightest < 2**bits)
    return values.astype(np.float32) / np.float32(2**bits - 1)


def from_pillow(image: Image.Image) -> Pixels:
    """Pixels of any Pillow mode. Raises UnknownRangeError: 32-bit integers outside 0…65535."""
    if image.mode == "F":
        return Pixels(np.asarray(image, np.float32))
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnknownRangeError("has 32-bit pixels without a known range of brightness")
        return Pixels(values.astype(np.uint16))
    indices = np.asarray(image) if image.mode == "P" and image.format != "GIF" else None
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = None if (rgba[..., 3] == 255).all() else rgba[..., 3]
        return Pixels(rgba[..., :3], alpha, indices)
    if image.mode in ("1", "L"):
        return Pixels(np.asarray(image.convert("L")))
    return Pixels(np.asarray(image.convert("RGB")), indices=indices)


def value_step(image: Image.Image) -> int:
    """`Pixels.step` of an opened image that is not yet loaded."""
    layout = str(image.tile[0].args) if image.tile else ""  # type: ignore[attr-defined]
    return 85 if "L;2" in layout else 17 if "L;4" in layout else 1


def is_lossy(image: Image.Image) -> bool:
    """Whether this opened file is of a kind that changes pixels; WebP is by its chunks."""
    if image.format != "WEBP":
        return image.format in ("JPEG", "MPO", "JPEG2000", "AVIF")
    return b"VP8L" not in Path(image.filename).read_bytes()  # type: ignore[attr-defined]


def is_deep_colour(image: Image.Image) -> bool:
    """Whether Pillow cuts this PNG or TIFF, opened by its path, from 16 to 8 bits per channel."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    if image.format == "TIFF":
        return bool(max(image.tag_v2.get(_BITS, (8,))) == 16)  # type: ignore[attr-defined]
    if image.format == "PNG":
        with Path(image.filename).open("rb") as file:  # type: ignore[attr-defined]
            return file.read(25)[24] == 16  # bit depth in IHDR, which is always first
    return False


def decode_deep_colour(path: Path) -> Pixels:
    """16-bit colour with or without alpha through OpenCV. Raises ValueError: OpenCV cannot decode
    it."""
    level = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(0)  # its own complaints would interleave with ours
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        _LOGGING.setLogLevel(level)
    if image is None or image.ndim not in (2, 3) or image.dtype not in (np.uint8, np.uint16):
        raise ValueError("its channels have an unusual layout")
    if image.ndim == 2:
        return Pixels(image)
    colour = image[..., 2::-1]
    return Pixels(colour, image[..., 3] if image.shape[2] == 4 else None)


def decode_12_bit_tiff(path: Path, check_size: Callable[[tuple[int, int]], None]) -> Pixels | None:
    """Decode a 12-bit colour TIFF, which Pillow does not identify, turned by its orientation; None
    for any other file. `check_size` is called with (W, H) before. Raises UnknownRangeError: 12-bit
    JPEG data, which nothing here can decode."""
    with path.open("rb") as file:
        magic = file.read(8)
        if magic.startswith(_JPEG_MAGIC) and _jpeg_bits(magic + file.read()) == 12:
            raise UnknownRangeError("is a 12-bit JPEG, which cannot be decoded")
        if not magic.startswith(_TIFF_MAGIC):
            return None
        directory = TiffImagePlugin.ImageFileDirectory_v2(magic)
        file.seek(directory.next)
        directory.load(file)
    if set(directory.get(_BITS, ())) != {12}:
        return None
    if directory.get(_COMPRESSION) in _JPEG_COMPRESSIONS:
        raise UnknownRangeError("holds a 12-bit colour JPEG, which cannot be decoded")
    check_size((directory[_WIDTH], directory[_HEIGHT]))
    return decode_deep_colour(path)


def _jpeg_bits(content: bytes) -> int | None:
    """Bits per channel in the frame header; None where the segments make no sense."""
    position = 2
    while position + 5 <= len(content) and content[position] == 0xFF:
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4])
        # Frame headers are C0…CF, but for tables (C4), extensions (C8) and arithmetic coding (CC).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return content[position + 4]
        position += 2 + length
    return None
