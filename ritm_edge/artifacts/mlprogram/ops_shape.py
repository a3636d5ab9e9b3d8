"""Operations that move, repeat or create elements without computing with them.

Sources: as in `ops_elementwise`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import operation

Ints = tuple[int, ...]
Bools = tuple[bool, ...]


@operation()
def reshape(x: Tensor, shape: Ints) -> Tensor:
    """0 copies the dimension (only at equal rank), one −1 takes what is left."""
    if 0 in shape and len(shape) != x.ndim:
        raise FormatError(f"reshape of {list(x.shape)} to {list(shape)}")
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)])


@operation()
def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    rank = x.ndim + len(axes)
    if not all(-rank <= axis < rank for axis in axes):
        raise FormatError(f"the axes {list(axes)} of a tensor of rank {rank}")
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operation()
def transpose(x: Tensor, perm: Ints) -> Tensor:
    return x.permute(perm)


@operation()
def concat(values: list[Tensor], axis: int, interleave: bool = False) -> Tensor:
    if interleave:
        raise UnsupportedError("concat with interleave")
    return torch.cat(values, axis)


@operation()
def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """NumPy slicing per axis; a masked end is open, a squeezed axis is indexed at `begin`."""
    no = (False,) * x.ndim
    end_mask, squeeze_mask = end_mask or no, squeeze_mask or no
    if {len(each) for each in (begin, end, end_mask, squeeze_mask)} != {x.ndim}:
        raise FormatError(f"a slice of {list(x.shape)} with other ranks")
    for axis in reversed(range(x.ndim)):
        if squeeze_mask[axis]:
            x = x.select(axis, begin[axis])
            continue
        bounds = slice(begin[axis], None if end_mask[axis] else end[axis])
        start, stop, _ = bounds.indices(x.shape[axis])
        x = x.narrow(axis, start, max(stop - start, 0))
    return x


@operation()
def tile(x: Tensor, reps: Ints) -> Tensor:
    if len(reps) != x.ndim:
        raise FormatError(f"{len(reps)} repetitions for {list(x.shape)}")
    return x.repeat(reps)


@operation()
def pad(x: Tensor, pad: Ints, mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """`pad` holds (before, after) of the last axes, outermost first."""
    if mode != "constant":
        raise UnsupportedError(f"the padding mode '{mode}'")
    if len(pad) % 2 or len(pad) > 2 * x.ndim or min(pad, default=0) < 0:
        raise FormatError(f"padding of {list(x.shape)} by {list(pad)}")
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=constant_val)


# A filled tensor has the type of its value, hence Tensor and not float.
@operation("ref_tensor")
def fill_like(ref_tensor: Tensor, value: Tensor) -> Tensor:
    return value.expand(ref_tensor.shape).clone()
