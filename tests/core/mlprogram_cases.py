"""One or more programs per MIL operation, each with what it must compute, written in NumPy.

Where NumPy has no counterpart (convolution, pooling) PyTorch's module is the reference, or the sum
is written out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .mlprogram_build import mb, sample


@dataclass(frozen=True)
class Case:
    """Builder, reference, and shapes of the inputs; `tolerance` 0 asks for equal bits."""

    kind: str
    build: Callable[..., Any]
    reference: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    tolerance: float = 0.0
    positive: bool = False

    def inputs(self) -> list[NDArray[Any]]:
        arrays = [sample(shape, seed) for seed, shape in enumerate(self.shapes)]
        return [np.abs(array) + 0.1 for array in arrays] if self.positive else arrays


X = ((2, 3, 4),)
XY = ((2, 3, 4), (3, 1))
ULPS = 2e-6  # a few units in the last place around 1: another libm


def unary(kind: str, reference: Callable[..., Any], tolerance: float = 0.0, **inputs: Any) -> Case:
    positive = inputs.pop("positive", False)
    return Case(kind, lambda a: getattr(mb, kind)(x=a, **inputs), reference, X, tolerance, positive)


def binary(kind: str, reference: Callable[..., Any], tolerance: float = 0.0) -> Case:
    return Case(kind, lambda a, b: getattr(mb, kind)(x=a, y=b), reference, XY, tolerance)


def compare(kind: str, reference: Callable[..., Any]) -> Case:
    """Compare rounded values, so that some are equal; booleans leave as 0.0 and 1.0."""

    def build(a: Any, b: Any) -> Any:
        a, b = mb.floor(x=a), mb.floor(x=b)
        return mb.cast(x=getattr(mb, kind)(x=a, y=b), dtype="fp32")

    return Case(kind, build, lambda a, b: reference(np.floor(a), np.floor(b)), XY)


def reduction(kind: str, reference: Callable[..., Any], tolerance: float = 0.0) -> list[Case]:
    method = getattr(mb, kind)
    return [
        Case(kind, lambda a: method(x=a, axes=[1], keep_dims=True),
             lambda a: reference(a, axis=1, keepdims=True), X, tolerance),
        Case(kind, lambda a: method(x=a, axes=[-1, 0], keep_dims=False),
             lambda a: reference(a, axis=(0, 2)), X, tolerance),
    ]  # fmt: skip


def sigmoid(a: NDArray[Any]) -> NDArray[Any]:
    return 1 / (1 + np.exp(-a.astype(np.float64)))


ELEMENTWISE = [
    unary("abs", np.abs),
    unary("ceil", np.ceil),
    unary("floor", np.floor),
    unary("relu", lambda a: np.maximum(a, 0)),
    unary("tanh", np.tanh, ULPS),
    unary("sigmoid", sigmoid, ULPS),
    unary("sqrt", np.sqrt, ULPS, positive=True),
    unary("leaky_relu", lambda a: np.where(a > 0, a, a * np.float32(0.2)), alpha=0.2),
    unary("clip", lambda a: np.minimum(np.maximum(a, -0.5), 0.5), alpha=-0.5, beta=0.5),
    Case("cast", lambda a: mb.cast(x=mb.cast(x=a, dtype="fp16"), dtype="fp32"),
         lambda a: a.astype(np.float16).astype(np.float32), X),
    binary("add", np.add),
    binary("sub", np.subtract),
    binary("mul", np.multiply),
    binary("maximum", np.maximum),
    binary("real_div", np.divide),
    compare("less", np.less),
    compare("less_equal", np.less_equal),
    Case("select", lambda a, b: mb.select(cond=mb.less(x=a, y=0.0), a=b, b=a),
         lambda a, b: np.where(a < 0, b, a), ((2, 3, 4), (2, 3, 4))),
]  # fmt: skip

SHAPE = [
    unary("reshape", lambda a: a.reshape(2, 12), shape=[-1, 12]),
    Case("reshape", lambda a: mb.reshape(x=a, shape=[0, -1, 2]),
         lambda a: a.reshape(2, 6, 2), X),
    unary("expand_dims", lambda a: a[:, None, :, :, None], axes=[1, -1]),
    unary("transpose", lambda a: a.transpose(2, 0, 1), perm=[2, 0, 1]),
    Case("concat", lambda a, b: mb.concat(values=[a, b], axis=1),
         lambda a, b: np.concatenate([a, b], 1), ((2, 3, 4), (2, 5, 4))),
    unary("slice_by_index", lambda a: a[1, 0:2, 1:], begin=[1, 0, 1], end=[0, 2, 0],
          end_mask=[False, False, True], squeeze_mask=[True, False, False]),
    unary("slice_by_index", lambda a: a[:, -2:-1, -3:-1], begin=[0, -2, -3], end=[0, -1, -1],
          end_mask=[True, False, False]),
    unary("slice_by_index", lambda a: a[-1, 1:2], begin=[-1, 1, 0], end=[0, 2, 4],
          squeeze_mask=[True, False, False]),
    unary("tile", lambda a: np.tile(a, (2, 1, 3)), reps=[2, 1, 3]),
    unary("pad", lambda a: np.pad(a, ((0, 0), (1, 2), (3, 0)), constant_values=0.5),
          pad=[1, 2, 3, 0], mode="constant", constant_val=0.5),
    Case("fill_like", lambda a: mb.add(x=a, y=mb.fill_like(ref_tensor=a, value=-1e6)),
         lambda a: a + np.float32(-1e6), X),
]  # fmt: skip


def softmax(a: NDArray[Any], axis: int) -> NDArray[Any]:
    powers: NDArray[np.float64] = np.exp(a.astype(np.float64))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


REDUCE = [
    *reduction("reduce_min", np.min),
    *reduction("reduce_mean", np.mean, ULPS),
    unary("softmax", lambda a: softmax(a, 1), ULPS, axis=1),
    unary("softmax", lambda a: softmax(a, -1), ULPS),
    Case("matmul", lambda a, b: mb.matmul(x=a, y=b, transpose_x=True, transpose_y=True),
         lambda a, b: a.transpose(0, 2, 1) @ b.T, ((2, 4, 3), (5, 4)), ULPS),
    Case("matmul", lambda a, b: mb.matmul(x=a, y=b),
         lambda a, b: np.matmul(a, b), ((2, 3, 4), (4, 5)), ULPS),
]  # fmt: skip


def conv(
    weight: NDArray[Any],
    *,
    bias: NDArray[Any] | None = None,
    strides: tuple[int, ...] = (1, 1),
    pads: tuple[int, ...] = (0, 0, 0, 0),
    dilations: tuple[int, ...] = (1, 1),
    groups: int = 1,
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A 2-D convolution written out in float64, one output pixel after another."""

    def apply(x: NDArray[Any]) -> NDArray[Any]:
        top, bottom, left, right = pads
        x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
        outputs, per_group, rows, columns = weight.shape
        spans = (rows - 1) * dilations[0] + 1, (columns - 1) * dilations[1] + 1
        height = (x.shape[2] - spans[0]) // strides[0] + 1
        width = (x.shape[3] - spans[1]) // strides[1] + 1
        y = np.zeros((x.shape[0], outputs, height, width))
        for o in range(outputs):
            first = o // (outputs // groups) * per_group
            for r in range(height):
                for c in range(width):
                    down = slice(r * strides[0], r * strides[0] + spans[0], dilations[0])
                    across = slice(c * strides[1], c * strides[1] + spans[1], dilations[1])
                    patch = x[:, first : first + per_group, down, across]
                    y[:, o, r, c] = (patch * weight[o]).sum((1, 2, 3))
            if bias is not None:
                y[:, o] += bias[o]
        return y

    return apply


def unpacked(
    data: NDArray[Any], zero: NDArray[Any], scale: NDArray[Any], axis: int, *, half: bool = False
) -> Case:
    """Adds what is unpacked to the input; only the unpacking itself runs in float16, if `half`."""

    def build(a: Any) -> Any:
        constant = mb.constexpr_affine_dequantize(
            quantized_data=data, zero_point=zero, scale=scale, axis=axis
        )
        return mb.add(x=a, y=mb.cast(x=constant, dtype="fp32") if half else constant)

    along = [1, 1, 1]
    along[axis] = -1
    steps = data.astype(np.float64) - zero.astype(np.float64).reshape(along)
    constant = (steps * scale.astype(np.float64).reshape(along)).astype(scale.dtype)
    return Case("constexpr_affine_dequantize", build, lambda a: a + constant.astype(np.float32), X)


BYTES = np.random.default_rng(0).integers(-128, 128, (2, 3, 4)).astype(np.int8)
SCALES = np.abs(sample((3,))) + 0.01

CONSTANT = [
    unpacked(BYTES, np.zeros(3, np.int8), SCALES, 1),
    unpacked(BYTES, np.array([-128, 0, 127], np.int8), SCALES, -2),
    unpacked(BYTES, np.array([3, -3], np.int8), np.array(0.3, np.float32), 0),
    unpacked(BYTES, np.array(-128, np.int8), np.array([0.5, 0.25, 3, 0.1], np.float32), 2),
    unpacked(BYTES, np.array([0, -128, 7], np.int8), SCALES.astype(np.float16), 1, half=True),
]

IMAGE = ((1, 4, 9, 8),)
W_3x3 = sample((6, 4, 3, 3))
W_GROUPS = sample((6, 2, 3, 2))
W_DEPTHWISE = sample((4, 1, 3, 3))
BIAS_6 = sample((6,))


def image_case(kind: str, reference: Callable[..., Any], tolerance: float, **inputs: Any) -> Case:
    return Case(kind, lambda a: getattr(mb, kind)(x=a, **inputs), reference, IMAGE, tolerance)


def torch_pool(
    function: Callable[..., Any], **options: Any
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda a: function(torch.from_numpy(a), **options).numpy()


WINDOW = [
    image_case("conv", conv(W_3x3), 1e-5, weight=W_3x3, pad_type="valid"),
    image_case("conv", conv(W_3x3, bias=BIAS_6, strides=(2, 2), pads=(1, 1, 1, 1)), 1e-5,
               weight=W_3x3, bias=BIAS_6, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
    image_case("conv", conv(W_3x3, strides=(2, 1), pads=(0, 0, 2, 2)), 1e-5,
               weight=W_3x3, strides=[2, 1], pad_type="custom", pad=[0, 0, 2, 2]),
    image_case("conv", conv(W_GROUPS, pads=(1, 1, 0, 0), groups=2), 1e-5,
               weight=W_GROUPS, groups=2, pad_type="custom", pad=[1, 1, 0, 0]),
    image_case("conv", conv(W_DEPTHWISE, pads=(2, 2, 2, 2), dilations=(2, 2), groups=4), 1e-5,
               weight=W_DEPTHWISE, groups=4, dilations=[2, 2], pad_type="custom",
               pad=[2, 2, 2, 2]),
    image_case("max_pool", torch_pool(torch.nn.functional.max_pool2d, kernel_size=3, stride=2,
                                      padding=1), 0.0,
               kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
    image_case("avg_pool", torch_pool(torch.nn.functional.avg_pool2d, kernel_size=3, stride=2,
                                      padding=1, count_include_pad=False), 1e-6,
               kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1],
               exclude_padding_from_average=True),
    image_case("avg_pool", torch_pool(torch.nn.functional.avg_pool2d, kernel_size=(1, 4)), 1e-6,
               kernel_sizes=[1, 4], strides=[1, 4], pad_type="valid"),
]  # fmt: skip
