"""The weight file of an ML Program (MIL blob storage, version 2), read by coremltools."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .library import import_coremltools
from .problems import FormatError

# The format knows more types; our programs in fp32 and fp16, with weights in 8 bits, need these.
READERS = {"float16": "read_fp16_data", "float32": "read_float_data", "int8": "read_int8_data"}


class WeightFile:
    """Random access to the blobs of one file."""

    def __init__(self, file: Path) -> None:
        """Map it. Raises FormatError: it is empty, or cannot be read; MissingExtraError:
        coremltools is not installed."""
        self._name = file.name
        storage = import_coremltools("coremltools.libmilstoragepython")
        try:
            self._reader = storage._BlobStorageReader(str(file))
        except RuntimeError as error:
            raise FormatError(f"its weight file {self._name} is empty or unreadable") from error
        # Blobs may claim the same bytes again and again; each is a copy in memory.
        self._bytes_left = file.stat().st_size
        self._known: dict[tuple[int, str], NDArray[Any]] = {}

    def read(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """The blob [count] whose record is at `offset`, in bytes from the start of the file; type
        (float16, float32 or int8) and count must be what the record says. Raises FormatError:
        outside the file, no record there, or another type or size."""
        key = (offset, dtype.name)
        if key not in self._known:
            try:
                array = getattr(self._reader, READERS[dtype.name])(offset).view(dtype)
            except (RuntimeError, ValueError) as error:
                raise FormatError(
                    f"its weight file {self._name} has no {dtype} weights at byte {offset} "
                    f"({error})"
                ) from error
            self._bytes_left -= array.nbytes
            if self._bytes_left < 0:
                raise FormatError(f"the weights in {self._name} overlap")
            self._known[key] = array
        if self._known[key].size != count:
            raise FormatError(
                f"the weights at byte {offset} of {self._name} are {self._known[key].size} values, "
                f"not the {count} that the program expects"
            )
        return self._known[key]
