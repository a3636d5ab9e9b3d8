"""Declared types of an ML Program, and the constants written into it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import FormatError, UnsupportedError
from .weights import WeightFile

# Numbers of the enum DataType in MIL.proto.
STRING = "string"
DTYPES = {1: "bool", 2: STRING, 10: "fp16", 11: "fp32", 21: "int8", 23: "int32"}
NUMPY_DTYPES: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.bool_),
    "fp16": np.dtype("<f2"),
    "fp32": np.dtype("<f4"),
    "int32": np.dtype("<i4"),
    "int8": np.dtype("i1"),
}
INT8 = "int8"  # only of stored weights; nothing is computed in it
MAX_RANK = 5  # Core ML's own limit
# 1 GiB of fp32: far above any tensor of these models, far below what would stop the machine.
MAX_ELEMENTS = 2**28


@dataclass(frozen=True)
class TensorType:
    """Element type ("fp32", "fp16", "int32", "bool", "string", "int8") and static shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def parse_type(value_type: Any, name: str) -> TensorType:
    """Read a `ValueType`. Raises UnsupportedError: not a tensor, a flexible shape, or an unknown
    element type; FormatError: contradictory, or absurdly large."""
    kind = value_type.WhichOneof("type")
    if kind != "tensorType":
        raise UnsupportedError(f"a value that is not a tensor ('{name}': {kind or 'no type'})")
    tensor = value_type.tensorType
    if tensor.dataType not in DTYPES:
        raise UnsupportedError(f"the data type {tensor.dataType} of MIL.proto (value '{name}')")
    if any(each.WhichOneof("dimension") != "constant" for each in tensor.dimensions):
        raise UnsupportedError(f"a flexible shape (value '{name}')")
    shape = tuple(dimension.constant.size for dimension in tensor.dimensions)
    if len(shape) != tensor.rank or len(shape) > MAX_RANK:
        raise FormatError(f"the value '{name}' has a rank that does not fit its dimensions")
    if math.prod(shape) > MAX_ELEMENTS:
        raise FormatError(f"the value '{name}' claims {math.prod(shape)} elements")
    return TensorType(DTYPES[tensor.dataType], shape)


def read_value(value: Any, name: str, weights: Callable[[str], WeightFile]) -> str | NDArray[Any]:
    """Read a `Value`: a text, or an array of the declared type and shape; `weights` opens a weight
    file by the name that the program uses. Raises UnsupportedError: as in `parse_type`, or a list
    of texts; FormatError: type and content do not fit, or the blob is not in its file."""
    declared = parse_type(value.type, name)
    place = value.WhichOneof("value")
    if place == "blobFileValue":
        blob = value.blobFileValue
        if declared.dtype not in ("fp16", "fp32", INT8):
            raise UnsupportedError(f"{declared.dtype} weights (constant '{name}')")
        dtype, count = NUMPY_DTYPES[declared.dtype], math.prod(declared.shape)
        array = weights(blob.fileName).read(blob.offset, dtype, count)
        return array.reshape(declared.shape)
    if place is None or value.immediateValue.WhichOneof("value") != "tensor":
        raise FormatError(f"the constant '{name}' has no value")
    tensor = value.immediateValue.tensor
    if declared.dtype == STRING:
        if declared.shape != () or len(tensor.strings.values) != 1:
            raise UnsupportedError(f"a list of texts (constant '{name}')")
        return str(tensor.strings.values[0])
    return _immediate(tensor, declared, name)


def _immediate(tensor: Any, declared: TensorType, name: str) -> NDArray[Any]:
    dtype = NUMPY_DTYPES[declared.dtype]
    if declared.dtype in ("fp16", INT8):
        data = tensor.bytes.values
        if len(data) % dtype.itemsize:
            raise FormatError(f"the constant '{name}' has half a value")
        flat = np.frombuffer(data, dtype).copy()
    else:
        member = {"fp32": tensor.floats, "int32": tensor.ints, "bool": tensor.bools}[declared.dtype]
        flat = np.array(member.values, dtype)
    count = math.prod(declared.shape)
    if flat.size != count:
        raise FormatError(f"the constant '{name}' has {flat.size} values instead of {count}")
    return flat.reshape(declared.shape)
