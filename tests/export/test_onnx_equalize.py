"""Channels of one activation made equally loud: float32 stays the same, integers lose less."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.onnx.equalize import LARGEST_RATIO, equalize_channels
from ritm_edge.export.onnx.graph import onnx_graph
from ritm_edge.export.onnx.precision import measure_ranges, named, quantize
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.onnx import open_session

from ..models import tiny_model
from .precision_graphs import random_inputs


class Branches(nn.Module):
    """A residual sum, a resize, a concatenation, and one channel a hundred times as loud."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.small = nn.Conv2d(8, 4, 3, padding=1, stride=2)
        self.last = nn.Conv2d(12, 1, 1)
        self.first.weight.data[2] *= 100
        self.last.weight.data[:, 2] /= 100
        self.inner.weight.data[:, 2] /= 100
        self.small.weight.data[:, 2] /= 100

    def forward(self, image):
        seen = F.leaky_relu(self.first(image), 0.2)
        seen = torch.relu(seen + self.inner(seen))
        coarse = F.interpolate(
            torch.relu(self.small(seen)), size=seen.shape[2:], mode="bilinear", align_corners=True
        )
        return torch.sigmoid(self.last(torch.cat((seen, coarse), dim=1)))


class Unscalable(nn.Module):
    """Nothing here may be scaled: shared weights, groups, and readers that are no convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shared = nn.Conv2d(3, 3, 1)
        self.grouped = nn.Conv2d(3, 3, 1, groups=3)
        self.last = nn.Conv2d(3, 3, 1)

    def forward(self, image):
        seen = self.grouped(torch.relu(self.shared(torch.relu(self.shared(image)))))
        return torch.softmax(self.last(torch.tanh(seen)), dim=1)


def photos(count=4):
    rng = np.random.default_rng(0)
    return [{"image": rng.standard_normal((1, 3, 12, 16), np.float32)} for _ in range(count)]


def exported(graph, example=None):
    example = {"image": torch.zeros(1, 3, 12, 16)} if example is None else example
    return named(onnx_graph(ExportInput(graph.eval(), example, ("mask",))))


def weights(model):
    return {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}


def run(model, inputs):
    return open_session(model.SerializeToString()).run(None, inputs)[0]


def test_float_results_stay_and_integers_come_closer():
    model = exported(Branches())
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    equalize_channels(model, photos())
    expected = [run(plain, each) for each in photos()]
    for each, mask in zip(photos(), expected, strict=True):
        np.testing.assert_allclose(run(model, each), mask, atol=1e-6)

    def error(graph):
        integers = quantize(graph, measure_ranges(graph, photos()))
        found = [run(integers, each) for each in photos()]
        return np.mean([np.abs(f - e).mean() for f, e in zip(found, expected, strict=True)])

    assert error(model) < 0.5 * error(plain)


def test_factors_go_through_sums_resizes_and_concatenations():
    model = exported(Branches())
    before = weights(model)
    equalize_channels(model, photos())
    ratio = {name: values / before[name] for name, values in weights(model).items()}
    written = 1 / ratio["first.weight"][:, 0, 0, 0]
    np.testing.assert_allclose(ratio["inner.weight"][:, 0, 0, 0] * written, written[0], rtol=1e-5)
    np.testing.assert_allclose(ratio["last.weight"][0, :8, 0, 0], written, rtol=1e-5)
    assert written[2] == written.max() > 3 * np.median(written)
    assert np.isfinite(written).all()


def test_a_channel_that_was_silent_keeps_room():
    graph = Branches()
    graph.small.weight.data[1], graph.small.bias.data[1] = 0, -1.0
    model = exported(graph)
    before = weights(model)
    equalize_channels(model, photos())
    after = weights(model)
    loudest = (before["first.bias"] / after["first.bias"]).max()  # in the same concatenation
    silent = before["small.bias"][1] / after["small.bias"][1]
    assert loudest / silent == pytest.approx(LARGEST_RATIO, rel=1e-5)


def test_what_cannot_be_scaled_is_left_alone():
    model = exported(Unscalable())
    before = weights(model)
    equalize_channels(model, photos())
    after = weights(model)
    assert all(np.array_equal(after[name], values) for name, values in before.items())


def test_the_network_keeps_its_mask():
    spec = IOSpec(64, 96, max_clicks=3)
    model = exported(RewritableGraph(tiny_model()), example_inputs(spec))
    before = weights(model)
    inputs = random_inputs(64, 96, 3, 3)
    masks = [run(model, each) for each in inputs]
    equalize_channels(model, inputs)
    for each, mask in zip(inputs, masks, strict=True):
        np.testing.assert_allclose(run(model, each), mask, atol=2e-5)
    changed = [name for name, values in weights(model).items() if (values != before[name]).any()]
    assert len(changed) > 60
