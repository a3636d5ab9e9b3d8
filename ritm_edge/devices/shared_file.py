"""A file through which this process and a browser beside it hand each other arrays.

A browser's network stack copies and cuts a message many times: 1.7 MB there and back took it more
than 9 ms, a file, which stays in memory, less than 1 ms.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .frames import ProtocolError, Tensors, describe, receive_arrays


class SharedFile:
    """What either side writes begins at the first byte; the other one reads it before it writes.

    Args:
        path: an existing file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)

    @classmethod
    def find(cls, folder: Path, token: str) -> Self | None:
        """The file anywhere below `folder` that begins with `token`; None: there is none."""
        for path in folder.rglob("*"):
            with suppress(OSError):  # others of the browser's files come and go
                if path.is_file() and not path.is_symlink():
                    with path.open("rb") as file:
                        if file.read(len(token)) == token.encode():
                            return cls(path)
        return None

    def put(self, tensors: Tensors) -> list[dict[str, Any]]:
        """Write float32 or uint8 arrays; their entries for the head of a message. Raises
        ConnectionError: the disk is full."""
        entries, parts = describe(tensors)
        try:
            self._file.seek(0)
            written = sum(self._file.write(part) for part in parts if part.nbytes)
        except OSError as error:
            raise ConnectionError(error.strerror) from error
        if written != sum(part.nbytes for part in parts):
            raise ConnectionError("the disk is full")
        return entries

    def get(self, entries: Any) -> dict[str, NDArray[Any]]:
        """The arrays that the other side wrote. Raises ProtocolError: see `receive_arrays`."""
        self._file.seek(0)
        return receive_arrays(entries, self._read)

    def _read(self, count: int) -> memoryview:
        data = np.empty(count, np.uint8).data  # not cleared before it is filled
        if self._file.readinto(data) != count:
            raise ProtocolError("has not written the arrays that it announces")
        return data

    def close(self) -> None:
        """The browser removes the file."""
        self._file.close()
