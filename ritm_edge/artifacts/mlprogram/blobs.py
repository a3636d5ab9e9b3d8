"""The weight file of an ML Program (MIL blob storage, version 2).

Layout, little-endian, everything aligned to 64 bytes: a header (uint32 count, uint32 version),
then for every blob a 64-byte record (uint32 0xDEADBEEF, uint32 type, uint64 size in bytes, uint64
offset of the data from the start of the file) and its data. A program refers to the record.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import FormatError

VERSION = 2
HEADER = struct.Struct("<II")
RECORD = struct.Struct("<IIQQ")
RECORD_SIZE = 64
SENTINEL = 0xDEADBEEF
# The format knows more types; programs in fp32 and fp16, with weights in 8 bits, need these.
TYPES = {1: np.dtype("<f2"), 2: np.dtype("<f4"), 3: np.dtype("u1"), 4: np.dtype("i1")}


class WeightFile:
    """Random access to the blobs of one file."""

    def __init__(self, name: str, content: NDArray[np.uint8]) -> None:
        """Take its content, which is never written to.

        Raises:
            FormatError: shorter than its header, or another version.
        """
        self.name = name
        if len(content) < RECORD_SIZE:
            raise FormatError(f"its weight file {self.name} is truncated")
        self._bytes = content
        _, version = HEADER.unpack(self._bytes[: HEADER.size].tobytes())
        if version != VERSION:
            raise FormatError(f"its weight file {self.name} has the version {version}, not 2")

    def read(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """The blob whose record is at `offset`.

        Args:
            offset: bytes from the start of the file.
            dtype: float16, float32, uint8 or int8; must be what the record says.
            count: number of elements; must be what the record says.

        Returns:
            [count], a view of the content.

        Raises:
            FormatError: outside the file, no record there, or another type or size.
        """
        total = len(self._bytes)
        if offset + RECORD_SIZE > total:
            raise FormatError(f"its weight file {self.name} is truncated")
        sentinel, kind, size, start = RECORD.unpack(
            self._bytes[offset : offset + RECORD.size].tobytes()
        )
        if sentinel != SENTINEL:
            raise FormatError(f"its weight file {self.name} has no weights at byte {offset}")
        if TYPES.get(kind) != dtype or size != count * dtype.itemsize:
            raise FormatError(
                f"the weights at byte {offset} of {self.name} are not the {count} values of "
                f"{dtype} that the program expects"
            )
        if start + size > total:
            raise FormatError(f"its weight file {self.name} is truncated")
        if start % dtype.itemsize:
            raise FormatError(f"the weights at byte {offset} of {self.name} are misaligned")
        return self._bytes[start : start + size].view(dtype)
