"""Files that no ordinary writer makes, for the tests of photos and masks."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ritm_edge.imaging.images import encode_image, encode_mask

CORNERS = np.zeros((40, 60, 3), np.uint8)  # every corner has its own colour
CORNERS[:20, :30], CORNERS[:20, 30:] = (250, 0, 0), (0, 250, 0)
CORNERS[20:, :30], CORNERS[20:, 30:] = (0, 0, 250), (250, 250, 250)


def png(pixels: NDArray[Any], colour_type: int, bits: int, chunks: bytes = b"") -> bytes:
    """A PNG of any depth, which Pillow cannot write; big-endian samples."""
    height, width = pixels.shape[:2]
    kind = ">u2" if bits == 16 else "u1"
    rows = b"".join(b"\0" + row.astype(kind).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunks
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def tiff(pixels: NDArray[Any], bits: int, orientation: int = 1) -> bytes:
    """An uncompressed TIFF with 12 or 16 bits per sample, rows packed and padded to bytes."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    strip = b""
    for row in pixels.reshape(height, -1):
        if bits == 16:
            strip += row.astype("<u2").tobytes()
        else:
            text = "".join(format(int(value), f"0{bits}b") for value in row)
            text += "0" * (-len(text) % 8)
            strip += int(text, 2).to_bytes(len(text) // 8, "big")
    values = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * channels),
        (259, 3, [1]),
        (262, 3, [1 if channels == 1 else 2]),
        (273, 4, [512]),  # the strip stands behind the directory
        (274, 3, [orientation]),
        (277, 3, [channels]),
        (278, 4, [height]),
        (279, 4, [len(strip)]),
    ]
    extra_at, extra, entries = 8 + 2 + 12 * len(values) + 4, b"", b""
    for tag, kind, numbers in values:
        raw = b"".join(struct.pack("<H" if kind == 3 else "<I", number) for number in numbers)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place, extra = struct.pack("<I", extra_at + len(extra)), extra + raw
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + place
    directory = struct.pack("<H", len(values)) + entries + bytes(4) + extra
    return (struct.pack("<2sHI", b"II", 42, 8) + directory).ljust(512, b"\0") + strip


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def stored(upright: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The pixels a camera stores so that `orientation` shows `upright`."""
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),  # shown turned clockwise, so stored turned the other way
        7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](upright))


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def write_mask(path: str | Path, mask: NDArray[np.bool_]) -> None:
    Path(path).write_bytes(encode_mask(mask, path))


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    Path(path).write_bytes(encode_image(image, path))
