"""What a run was trained on: kept in its checkpoint, and compared when the run is resumed."""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .datasets import Entry

LARGEST = 1 << 28  # bytes, unpacked: three million photos


def fingerprint(entries: Sequence[Entry]) -> Tensor:
    """Set, name (relative to the folder that the photos of a set share, so that the data may move)
    and sizes of the files of every photo, in their order, as packed text with a line per photo,
    uint8 [N]; nothing is decoded."""
    folders: dict[str, str] = {}
    for entry in entries:
        folder = os.path.dirname(entry.image)
        folders[entry.set_name] = os.path.commonpath((folders.get(entry.set_name, folder), folder))
    lines = [
        f"{e.set_name}: {os.path.relpath(e.image, folders[e.set_name])} "
        f"({' + '.join(map(str, _sizes(astuple(e)[1:])))} bytes)\n"
        for e in entries
    ]
    text = "".join(lines).encode(errors="backslashreplace")
    return torch.frombuffer(bytearray(zlib.compress(text)), dtype=torch.uint8)


def _sizes(values: Sequence[Any]) -> Iterator[int]:
    """Bytes of files, by their paths; of annotations that an entry holds itself a checksum."""
    for value in values:
        if isinstance(value, str):
            yield os.path.getsize(value) if os.path.isfile(value) else 0
        elif isinstance(value, tuple):
            yield from _sizes(value)
        else:
            yield zlib.crc32(repr(value).encode())


def difference(before: Any, now: Tensor) -> str:
    """Half a sentence about what differs between two fingerprints; empty if nothing does."""
    old, new = _lines(before), _lines(now)
    for one, other in zip_longest(old, new, fillvalue="nothing"):
        if one != other:
            counts = f"{len(old)} photos then, {len(new)} now"
            return f"{counts}; the first difference is {one}, now {other}"
    return ""


def _lines(packed: Any) -> list[str]:
    try:
        data = zlib.decompressobj().decompress(np.asarray(packed, np.uint8).tobytes(), LARGEST)
    except (TypeError, ValueError, zlib.error):
        return []  # in a checkpoint that somebody else made
    return data.decode(errors="replace").splitlines()
