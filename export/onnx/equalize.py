"""Equalises the channels of an ONNX graph for 8-bit integers; in float32 the masks are the same.

An activation has one scale for all its channels, so the channel with the largest values decides how
coarse the others become. A channel may be divided by a positive factor where convolutions write it,
if the convolutions that read it multiply by the same: nothing between them but operations that
commute with a factor. (Nagel et al. 2019, arXiv:1906.04721, section 4.1; the factor is that of Xiao
et al. 2023, arXiv:2211.10438, equation 4.)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.optional import require
from ritm_edge.runtimes.onnx import open_session

from ..calibration import Inputs

# They keep channels apart and commute with a positive factor.
TRANSPARENT = ("Relu", "LeakyRelu", "Resize", "MaxPool", "AveragePool", "GlobalAveragePool")
# Half of a channel's scale goes into the weights that read it (Xiao et al.: 0.5 for most
# networks); moving all of it made masks worse than moving none.
MIGRATION = 0.5
# The most by which a channel may grow relative to another one of its activation. A channel that
# was zero on the calibration photos must not exceed the range on others.
LARGEST_RATIO = 8.0
QUIET = 1e-6
EXTREMES = ("ReduceMax", "ReduceMin")

Values = NDArray[np.float64]


def equalize_channels(model: Any, inputs: Sequence[Inputs]) -> None:
    """Scale the channels of all activations between convolutions, in place.

    Args:
        model: after shape inference.
        inputs: on which the largest value of each channel is measured.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    channels = _Channels(graph, constants)
    factors = _factors(channels, _peaks(model, channels.measured(), inputs), constants)
    for node in channels.convolutions:
        read, written = (factors[channels.of[name]] for name in (node.input[0], node.output[0]))
        weight, *bias = (constants[name] for name in node.input[1:])
        _scale(weight, read[None, :, None, None] / written[:, None, None, None])
        for tensor in bias:
            _scale(tensor, 1.0 / written)


class _Channels:
    """Which channels of which activations must have the same factor.

    Attributes:
        of: activation → number of the group of each of its channels.
        fixed: groups whose factor is one: something unknown reads or writes them.
        convolutions: nodes that can take factors up.
    """

    def __init__(self, graph: Any, constants: Mapping[str, Any]) -> None:
        self._parents: list[int] = []
        self._counts = _channel_counts(graph)
        self._constants = constants
        self._readers: dict[str, list[str]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node.op_type)
        self.of: dict[str, NDArray[np.int64]] = {}
        self.convolutions: list[Any] = []
        fixed: list[int] = []
        for node in graph.node:
            if not self._follow(node):
                for name in (*node.input, *node.output):
                    fixed.extend(self._channels(name))
        for value in (*graph.input, *graph.output):
            fixed.extend(self._channels(value.name))
        self.of = {name: np.array([*map(self._root, own)]) for name, own in self.of.items()}
        self.fixed = {self._root(channel) for channel in fixed}

    def measured(self) -> list[str]:
        """Activations that have a channel with a factor.

        Without those that only a Relu reads: it becomes part of the operation before it, and what
        it cuts off has no range.
        """
        return [
            name
            for name, own in self.of.items()
            if not self.fixed.issuperset(own.tolist())
            and set(self._readers.get(name, ())) != {"Relu"}
        ]

    def __len__(self) -> int:
        return len(self._parents)

    def _follow(self, node: Any) -> bool:
        """Take a node in; False if factors cannot pass it."""
        if node.op_type == "Conv" and self._is_plain(node):
            self._channels(node.input[0])
            self._channels(node.output[0])
            self.convolutions.append(node)
        elif node.op_type in TRANSPARENT and self._are_alike((node.input[0], node.output[0])):
            self.of[node.output[0]] = self._channels(node.input[0])
        elif node.op_type == "Concat" and self._joins_channels(node):
            self.of[node.output[0]] = np.concatenate([*map(self._channels, node.input)])
        elif node.op_type == "Add" and self._are_alike((*node.input, *node.output)):
            first, second = map(self._channels, node.input)
            for one, other in zip(first, second, strict=True):
                self._parents[self._root(one)] = self._root(other)
            self.of[node.output[0]] = first
        else:
            return False
        return True

    def _is_plain(self, node: Any) -> bool:
        groups = [a.i for a in node.attribute if a.name == "group"]
        own = all(n in self._constants and len(self._readers[n]) == 1 for n in node.input[1:])
        known = self._counts.get(node.input[0]) and self._counts.get(node.output[0])
        return bool(own and known and groups in ([], [1]))

    def _joins_channels(self, node: Any) -> bool:
        (axis,) = (a.i for a in node.attribute if a.name == "axis")
        return axis == 1 and all(self._counts.get(name) for name in node.input)

    def _are_alike(self, names: Iterable[str]) -> bool:
        counts = {self._counts.get(name, 0) for name in names}
        return len(counts) == 1 and 0 not in counts

    def _channels(self, name: str) -> NDArray[np.int64]:
        if name not in self.of:
            count = self._counts.get(name, 0)
            first = len(self._parents)
            self._parents.extend(range(first, first + count))
            self.of[name] = np.arange(first, first + count)
        return self.of[name]

    def _root(self, channel: int) -> int:
        while self._parents[channel] != channel:
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel


def _channel_counts(graph: Any) -> dict[str, int]:
    """Channels of every computed tensor of four axes; 0 where they are unknown."""
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes = {value.name: value.type.tensor_type.shape.dim for value in values}
    return {name: shape[1].dim_value for name, shape in shapes.items() if len(shape) == 4}


def _peaks(model: Any, names: Sequence[str], inputs: Sequence[Inputs]) -> dict[str, Values]:
    """Largest absolute value of each channel of each named activation."""
    if not names:  # asked for no outputs, ONNX Runtime gives all
        return {}
    onnx = require("onnx", extra="onnx")
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    graph = observed.graph
    axes = "all but channels"
    graph.initializer.append(onnx.numpy_helper.from_array(np.array((0, 2, 3)), axes))
    wanted = [(name, kind, f"{name} {kind}") for name in names for kind in EXTREMES]
    for name, kind, output in wanted:
        graph.node.append(onnx.helper.make_node(kind, [name, axes], [output], keepdims=0))
        graph.output.append(
            onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        )
    session = open_session(observed.SerializeToString())
    outputs = [output for *_, output in wanted]
    peaks: dict[str, Values] = {name: np.zeros(1) for name in names}
    for each in inputs:
        for (name, *_), values in zip(wanted, session.run(outputs, each), strict=True):
            peaks[name] = np.maximum(peaks[name], np.abs(values))
    return peaks


def _factors(
    channels: _Channels, peaks: Mapping[str, Values], constants: Mapping[str, Any]
) -> Values:
    """What each group of channels is divided by."""
    loudness = np.zeros(len(channels))
    for name, values in peaks.items():
        np.maximum.at(loudness, channels.of[name], values)
    # Of the steps of the weights that read it, the share that a channel takes.
    share = np.zeros(len(channels))
    for node in channels.convolutions:
        weight = np.abs(_values(constants[node.input[1]]))
        weight /= np.maximum(weight.max(axis=(1, 2, 3), keepdims=True), QUIET)
        np.maximum.at(share, channels.of[node.input[0]], weight.max(axis=(0, 2, 3)))
    factors = np.maximum(loudness, QUIET) ** MIGRATION
    factors /= np.maximum(share, 1.0 / LARGEST_RATIO**2) ** (1.0 - MIGRATION)
    factors[sorted(channels.fixed)] = 1.0
    for name in peaks:
        own = channels.of[name]
        if channels.fixed.isdisjoint(own.tolist()):
            factors[own] = np.maximum(factors[own], factors[own].max() / LARGEST_RATIO)
    return factors


def _values(tensor: Any) -> Values:
    values: Values = require("onnx", extra="onnx").numpy_helper.to_array(tensor).astype(np.float64)
    return values


def _scale(tensor: Any, factors: Values) -> None:
    scaled = (_values(tensor) * factors).astype(np.float32)
    tensor.CopyFrom(require("onnx", extra="onnx").numpy_helper.from_array(scaled, tensor.name))
