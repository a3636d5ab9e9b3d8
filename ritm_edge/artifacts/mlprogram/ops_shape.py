"""Operations that move, repeat or create elements without computing with them.

ExportInput: as in `ops_elementwise`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import ANY, FLOAT, operation

Ints = tuple[int, ...]
Bools = tuple[bool, ...]


@operation(ANY)
def reshape(x: Tensor, shape: Ints) -> Tensor:
    """0 copies the dimension (only at equal rank), one −1 takes what is left."""
    if 0 in shape and len(shape) != x.ndim:
        raise FormatError(f"reshape of {list(x.shape)} to {list(shape)}")
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)])


@operation(ANY)
def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(_axis(axis, rank) for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operation(ANY)
def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Axes longer than 1 stay, as in PyTorch."""
    return x.squeeze() if axes is None else x.squeeze(axes)


@operation(ANY)
def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    before = 1
    for size in x.shape[: axis if axis >= 0 else axis + x.ndim]:
        before *= size
    return x.reshape(before, -1)


@operation(ANY)
def transpose(x: Tensor, perm: Ints) -> Tensor:
    return x.permute(perm)


@operation(ANY)
def reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.flip(tuple(range(x.ndim)) if axes is None else axes)


@operation(ANY)
def concat(values: list[Tensor], axis: int, interleave: bool = False) -> Tensor:
    if not interleave:
        return torch.cat(values, axis)
    if any(value.shape != values[0].shape for value in values):
        raise FormatError("interleaved tensors of different shapes")
    # Element i of the axis comes from tensor i mod n.
    axis = _axis(axis, values[0].ndim)
    return torch.stack(values, axis + 1).flatten(axis, axis + 1)


@operation(ANY)
def stack(values: list[Tensor], axis: int) -> Tensor:
    return torch.stack(values, axis)


@operation(ANY)
def split(
    x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None
) -> list[Tensor]:
    if split_sizes is None:
        if not num_splits or num_splits < 1 or x.shape[axis] % num_splits:
            raise FormatError(f"a split of {x.shape[axis]} into {num_splits} equal parts")
        split_sizes = (x.shape[axis] // num_splits,) * num_splits
    elif num_splits is not None and num_splits != len(split_sizes):
        raise FormatError(f"a split into {num_splits} parts with {len(split_sizes)} sizes")
    return list(x.split(split_sizes, axis))


@operation(ANY)
def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """NumPy slicing per axis; a masked bound is open, a squeezed axis is indexed at `begin`."""
    rank = x.ndim
    stride = stride or (1,) * rank
    no = (False,) * rank
    begin_mask, end_mask, squeeze_mask = begin_mask or no, end_mask or no, squeeze_mask or no
    lengths = {len(v) for v in (begin, end, stride, begin_mask, end_mask, squeeze_mask)}
    if lengths != {rank} or 0 in stride:
        raise FormatError(f"a slice of {list(x.shape)} with other ranks or a stride of 0")
    for axis in reversed(range(rank)):
        first = None if begin_mask[axis] else begin[axis]
        if squeeze_mask[axis]:
            x = x.select(axis, first or 0)
            continue
        last = None if end_mask[axis] else end[axis]
        x = _take(x, axis, slice(first, last, stride[axis]))
    return x


@operation(ANY)
def slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """A size of −1 takes the rest of the axis."""
    if len(begin) != x.ndim or len(size) != x.ndim:
        raise FormatError(f"a slice of {list(x.shape)} with another rank")
    for axis, (start, length) in enumerate(zip(begin, size, strict=True)):
        start = start + x.shape[axis] if start < 0 else start
        x = x.narrow(axis, start, x.shape[axis] - start if length == -1 else length)
    return x


@operation(ANY)
def tile(x: Tensor, reps: Ints) -> Tensor:
    if len(reps) != x.ndim:
        raise FormatError(f"{len(reps)} repetitions for {list(x.shape)}")
    return x.repeat(reps)


@operation(FLOAT)
def pad(x: Tensor, pad: Ints, mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """`pad` holds (before, after) of the last axes, outermost first."""
    if len(pad) % 2 or len(pad) > 2 * x.ndim or min(pad, default=0) < 0:
        raise FormatError(f"padding of {list(x.shape)} by {list(pad)}")
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    if mode == "constant":
        return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=constant_val)
    if mode not in ("reflect", "replicate"):
        raise UnsupportedError(f"the padding mode '{mode}'")
    for axis, (before, after) in enumerate(pairs, start=x.ndim - len(pairs)):
        size = x.shape[axis]
        if mode == "reflect" and max(before, after) >= size:
            raise FormatError(f"a reflection of {max(before, after)} of {size} elements")
        index = torch.arange(-before, size + after, device=x.device)
        if mode == "reflect":
            index = index.abs()
            index = torch.where(index >= size, 2 * (size - 1) - index, index)
        x = x.index_select(axis, index.clamp(0, size - 1))
    return x


# A filled tensor has the type of its value, hence Tensor and not float.
@operation(ANY)
def fill(shape: Ints, value: Tensor | None = None) -> Tensor:
    value = torch.tensor(0.0) if value is None else value
    return value.expand(shape).clone()


@operation(ANY, free=("ref_tensor", "value"))
def fill_like(ref_tensor: Tensor, value: Tensor | None = None) -> Tensor:
    value = torch.tensor(0.0, device=ref_tensor.device) if value is None else value
    return value.expand(ref_tensor.shape).clone()


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise FormatError(f"the axis {axis} of a tensor of rank {rank}")
    return axis + rank if axis < 0 else axis


def _take(x: Tensor, axis: int, part: slice) -> Tensor:
    indices = range(*part.indices(x.shape[axis]))
    if indices.step > 0:
        if not indices:
            return x.narrow(axis, 0, 0)
        return x.narrow(axis, indices[0], indices[-1] - indices[0] + 1)[
            (slice(None),) * axis + (slice(None, None, indices.step),)
        ]
    return x.index_select(axis, torch.tensor(list(indices), dtype=torch.int64, device=x.device))
