"""`torch.load` for files of somebody else: no code of them runs, and what comes out is plain."""

import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError, first_line, raise_own_fault

MAX_DEPTH, MAX_VALUES = 40, 1_000_000
MAX_WHOLE = 1 << 64
# Tensors may share numbers, so that together they have more than the file.
MOST_SHARING = 4
_NUMBERS = "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"


def load_pickle(path: Path) -> Any:
    """Plain values and dense tensors of a `.pth` file. NumPy's numbers become Python's, and classes
    of other programs that only hold names and values become dicts, without importing them.

    Raises:
        CheckpointError: it would run code, is damaged or of another kind; or its values are nested
            deeper than 40, of other types, or tensors larger than the file.
    """
    try:
        allowed: list[Any] = [(_NumberType, "numpy.dtype"), (_latin1, "_codecs.encode")]
        allowed += [(_number, name) for name in _NUMBERS]
        if zipfile.is_zipfile(path):
            _refuse_packed(path)
            named = {name for _, name in allowed}
            others = set(torch.serialization.get_unsafe_globals_in_checkpoint(path)) - named
            allowed += [(_Plain, name) for name in others]
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            # torch warns of pickle protocols before it refuses them; our sentence is enough.
            warnings.simplefilter("ignore", UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
        _require_plain(content, path)
        return content
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a plain tensor file (it would run code or is damaged): nothing was "
            "executed; use a checkpoint from a source you trust."
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise_own_fault(error)
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({first_line(error)}): it is damaged or of "
            "another kind; download it again."
        ) from error


def _refuse_packed(path: Path) -> None:
    """torch stores without compression; compressed members can be larger than any memory."""
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > os.path.getsize(path):
            raise ValueError("it unpacks to more than it has")


def _require_plain(content: Any, path: Path) -> None:
    """Raise ValueError for what no checkpoint holds, and what other code could not walk through."""
    left, total = MAX_VALUES, 0
    level = [content]
    for _ in range(MAX_DEPTH):
        values, level = level, []
        left -= len(values)
        if left < 0:
            raise ValueError(f"more than {MAX_VALUES} values")
        for value in values:
            if isinstance(value, Tensor):
                total += _dense_bytes(value)
            elif isinstance(value, dict):
                level += [*value, *value.values()]
            elif isinstance(value, list | tuple | torch.Size):
                level += value
            elif isinstance(value, int) and abs(value) > MAX_WHOLE:
                raise ValueError("a whole number of more than 64 bits")
    if level:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if total > MOST_SHARING * os.path.getsize(path):
        raise ValueError(f"its tensors have {total} bytes, more than the file")


def _dense_bytes(tensor: Tensor) -> int:
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_quantized or tensor.is_complex():
        raise ValueError("a tensor that is not a dense array of real numbers")
    size = tensor.numel() * tensor.element_size()
    if size > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor that repeats its numbers")
    return size


class _Plain:
    """Stands in for a class of another program: a dict, whatever it would have been."""

    def __new__(cls, *arguments: Any) -> Any:
        if not all(isinstance(each, type) for each in arguments):
            raise pickle.UnpicklingError("it would run code")
        return OrderedDict()


class _NumberType:
    """Stands in for `numpy.dtype`, whose own reader trusts its input."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


def _number(kind: _NumberType, data: bytes) -> Any:
    if not isinstance(kind.code, str) or len(kind.code) != 2 or kind.code[0] not in "biuf":
        raise ValueError("a NumPy value that is no number")
    (value,) = np.frombuffer(data, kind.order.replace("|", "<") + kind.code)
    return value.item()


def _latin1(text: str, _: str) -> bytes:
    """NumPy writes bytes as text of this encoding."""
    return text.encode("latin-1")
