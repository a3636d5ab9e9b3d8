"""Declared types of an ML Program, and the constants written into it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blobs import WeightFile
from .problems import FormatError, UnsupportedError
from .wire import Decoded

# Numbers of the enum DataType in MIL.proto.
STRING = "string"
DTYPES = {1: "bool", 2: STRING, 10: "fp16", 11: "fp32", 21: "int8", 23: "int32", 31: "uint8"}
NUMPY_DTYPES: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.bool_),
    "fp16": np.dtype("<f2"),
    "fp32": np.dtype("<f4"),
    "int32": np.dtype("<i4"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
}
# Constants that are stored in 8 bits; nothing is computed in them.
BYTES = ("int8", "uint8")
MAX_RANK = 5  # Core ML's own limit
# 1 GiB of fp32: far above any tensor of these models, far below what would stop the machine.
MAX_ELEMENTS = 2**28


@dataclass(frozen=True)
class TensorType:
    """Element type ("fp32", "fp16", "int32", "bool", "string", "int8", "uint8"), static shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def parse_type(value_type: Decoded, name: str) -> TensorType:
    """Read a `ValueType`.

    Args:
        value_type: decoded message.
        name: of the value, for messages.

    Raises:
        UnsupportedError: not a tensor, a flexible shape, or an unknown element type.
        FormatError: contradictory, or absurdly large.
    """
    tensor = value_type.get("tensorType")
    if tensor is None:
        kind = next(iter(value_type), "no type")
        raise UnsupportedError(f"a value that is not a tensor ('{name}': {kind})")
    code = tensor.get("dataType", 0)
    if code not in DTYPES:
        raise UnsupportedError(f"the data type {code} of MIL.proto (value '{name}')")
    if any("constant" not in dimension for dimension in tensor["dimensions"]):
        raise UnsupportedError(f"a flexible shape (value '{name}')")
    shape = tuple(dimension["constant"].get("size", 0) for dimension in tensor["dimensions"])
    if len(shape) != tensor.get("rank", 0) or len(shape) > MAX_RANK:
        raise FormatError(f"the value '{name}' has a rank that does not fit its dimensions")
    if math.prod(shape) > MAX_ELEMENTS:
        raise FormatError(f"the value '{name}' claims {math.prod(shape)} elements")
    return TensorType(DTYPES[code], shape)


def read_value(
    value: Decoded, name: str, weights: Callable[[str], WeightFile]
) -> str | NDArray[Any]:
    """Read a `Value`.

    Args:
        value: decoded message.
        name: of the value, for messages.
        weights: opens a weight file by the name that the program uses.

    Returns:
        A text, or an array of the declared type and shape (a view of the file for blobs).

    Raises:
        UnsupportedError: as in `parse_type`, or a list of texts.
        FormatError: type and content do not fit, or the blob is not in its file.
    """
    declared = parse_type(value.get("type", {}), name)
    if "blobFileValue" in value:
        blob = value["blobFileValue"]
        if declared.dtype not in ("fp16", "fp32", *BYTES):
            raise UnsupportedError(f"{declared.dtype} weights (constant '{name}')")
        file = weights(blob.get("fileName", ""))
        array = file.read(blob.get("offset", 0), NUMPY_DTYPES[declared.dtype], declared.elements)
        return array.reshape(declared.shape)
    tensor = value.get("immediateValue", {}).get("tensor")
    if tensor is None:
        raise FormatError(f"the constant '{name}' has no value")
    if declared.dtype == STRING:
        texts = tensor.get("strings", {}).get("values", [])
        if declared.shape != () or len(texts) != 1:
            raise UnsupportedError(f"a list of texts (constant '{name}')")
        return str(texts[0])
    return _immediate(tensor, declared, name)


def _immediate(tensor: Decoded, declared: TensorType, name: str) -> NDArray[Any]:
    dtype = NUMPY_DTYPES[declared.dtype]
    if declared.dtype in ("fp16", *BYTES):
        data = tensor.get("bytes", {}).get("values", b"")
        if len(data) % dtype.itemsize:
            raise FormatError(f"the constant '{name}' has half a value")
        flat = np.frombuffer(data, dtype).copy()
    else:
        member = {"fp32": "floats", "int32": "ints", "bool": "bools"}[declared.dtype]
        flat = np.array(tensor.get(member, {}).get("values", []), dtype)
    if flat.size != declared.elements:
        raise FormatError(
            f"the constant '{name}' has {flat.size} values instead of {declared.elements}"
        )
    return flat.reshape(declared.shape)
