"""Operations that unpack compressed constants.

They are evaluated where they stand, in every run: a file may unpack the same few bytes many times,
and so only what is in use takes memory. Sources: as in `ops_elementwise`.
"""

import torch
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import FLOAT, operation


@operation(FLOAT, free=("quantized_data", "zero_point"))
def constexpr_affine_dequantize(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int
) -> Tensor:
    """scale · (data - zero point), typed as the scale; both are scalars or vectors along `axis`."""
    shape = quantized_data.shape
    if quantized_data.dtype != torch.int8:
        raise FormatError("quantized data that is not int8")
    if zero_point.dtype != torch.int8:
        raise UnsupportedError("a zero point that is not int8")
    if not -len(shape) <= axis < len(shape):
        raise FormatError(f"quantized data of {list(shape)} without the axis {axis}")
    for factor in (scale, zero_point):
        if factor.shape not in ((), (shape[axis],)):
            raise FormatError(f"{list(factor.shape)} factors for axis {axis} of {list(shape)}")
    along = [1] * len(shape)
    along[axis] = -1
    # Differences of bytes are exact in float16 as well: only the product is rounded.
    steps = quantized_data.to(scale.dtype) - zero_point.to(scale.dtype).reshape(along)
    return steps * scale.reshape(along)
