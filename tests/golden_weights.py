"""Weights and a stand-in network made by formulas, with which the golden numbers were recorded.

Everything follows from names, shapes and positions in integer and float64 arithmetic, so that both
implementations, on any machine, hold the same float32 values.
"""

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = np.uint64(0xFFFFFFFF)


def uniform(name: str, count: int) -> NDArray[np.float64]:
    """`count` values in 0…1, an integer hash of the name's CRC-32 and each value's index."""
    x = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B1)
    x = (x + np.uint64(zlib.crc32(name.encode()))) & WORD
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & WORD
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 2.0**32


def gain(name: str) -> float:
    """Factor on √(3 / fan-in) that keeps the activations around 1."""
    if ".fuse_layers." in name:
        return 0.4
    if ".branches." in name and name.endswith(".conv2.weight"):
        return 0.6
    if ".layer" in name and name.endswith((".conv2.weight", ".conv3.weight")):
        return 1.0
    if name.endswith(".body.0.weight") or ".aux_head.3." in name:
        return 1.1
    if name.startswith("rgb_conv."):
        return 0.8
    return 3.2 if name.endswith("cls_head.weight") else 1.5


def fill(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The parameter or buffer of that name: float32, or int64 zero for a batch norm's counter."""
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    u = uniform(name, math.prod(shape))
    around_zero = 2.0 * u - 1.0
    if leaf == "running_var" or (leaf == "weight" and len(shape) == 1):
        values = 0.8 + 0.4 * u
    elif leaf == "scale":
        values = -(0.6 + 0.4 * u)  # the layer takes its absolute value
    elif leaf == "weight":
        rows = around_zero.reshape(shape[0], -1)
        fan_in = rows.shape[1]
        if fan_in > 9:  # not depthwise: every filter sums to zero
            rows = (rows - np.roll(rows, fan_in // 2, axis=1)) * math.sqrt(0.5)
        values = gain(name) * math.sqrt(3.0 / fan_in) * rows
    elif leaf in ("bias", "running_mean"):
        values = 0.1 * around_zero - (1.0 if name.endswith("cls_head.bias") else 0.0)
    else:
        raise KeyError(name)
    return values.astype(np.float32).reshape(shape)


def fill_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    return {name: fill(name, shape) for name, shape in shapes.items()}


def stand_in_network(x: NDArray[Any], points: NDArray[Any]) -> NDArray[np.float32]:
    """Logits [B, 1, H, W] of simple arithmetic that reacts to all inputs and to mirroring.

    Args:
        x: [B, 4, H, W], RGB in 0…1 and the previous mask.
        points: [B, 2K, 3] (row, column, order), K positive, then K negative; a slot whose row and
            column are both below zero is empty.
    """
    x, points = x.astype(np.float64), points.astype(np.float64)
    batch, _, height, width = x.shape
    slots = points.shape[1] // 2
    rows = np.arange(height, dtype=np.float64)[:, None]
    columns = np.arange(width, dtype=np.float64)[None, :]
    logits = np.zeros((batch, 1, height, width))
    for sample in range(batch):
        near = [np.zeros((height, width)), np.zeros((height, width))]
        for slot, (row, column, _) in enumerate(points[sample]):
            if max(row, column) >= 0:
                squared = (rows - row) ** 2 + (columns - column) ** 2
                bump = np.maximum(0.0, 1.0 - squared / 19600.0)
                sign = slot // slots
                near[sign] = np.maximum(near[sign], bump * bump)
        red, green, blue, previous = x[sample]
        grey = (red + green + blue) / 3.0
        # The last term changes its sign with mirroring: it cancels in an average of logits only.
        logits[sample, 0] = (
            6.0 * near[0]
            - 6.0 * near[1]
            - 2.0
            + 1.5 * (previous - 0.5)
            + (grey - 0.5)
            + 1.6 * (columns / (width - 1.0) - 0.5)
        )
    return logits.astype(np.float32)
