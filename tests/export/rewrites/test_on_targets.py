"""Each rewrite on each target: still the PyTorch model to 1e-5, and disks still bit-equal."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ritm_edge import open_runtime
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.registry import all_targets
from ritm_edge.export.rewrites import NAMES, rewrite
from ritm_edge.export.targets import coreml, onnx, tflite
from ritm_edge.io_spec import CLICKS, IOSpec
from ritm_edge.model.clicks_encoding import disk_maps
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.verification.parity import Tolerance

from ...graphs import ClickMaps, open_program, run_tflite
from ...models import tiny_model
from ...runtimes import tiny_info, tiny_reference

SPEC = IOSpec(64, 96, max_clicks=3)
EXACT = Tolerance(atol=1e-5, min_mask_iou=1.0, reason="a rewrite changes the order of additions")
TARGETS = {target.name: target for target in all_targets()}


@pytest.mark.parametrize("target", ["onnx", "tflite", "coreml"])
def test_all_passes_together_are_exact_on_a_target(target, tmp_path):
    """Each alone is tested on the PyTorch modules, in seconds; converters see them together."""
    strict = replace(TARGETS[target], tolerance=EXACT)
    path = tmp_path / f"tiny{strict.suffix}"
    item = export_model(tiny_reference(), tiny_info(SPEC, target), strict, path, rewrites=NAMES)
    low, high = item.parity.reference_range
    assert low < 0.1 < 0.9 < high
    assert item.rewrites == open_runtime(path).info.rewrites == NAMES


def run_onnx(path, clicks):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {CLICKS: clicks})[0]


def run_coreml(path, clicks):
    return open_program(path).run({CLICKS: clicks})["disks"]


CONVERTERS = {
    "onnx": (onnx.convert, run_onnx, "disks.onnx"),
    "tflite": (tflite.convert, lambda p, c: run_tflite(p, {CLICKS: c})["disks"], "disks.tflite"),
    "coreml": (coreml.convert, run_coreml, "disks.mlpackage"),
}


def awkward_clicks(height, width, slots):
    """Halves, the edges of the image, just outside, and fractions that hit a disk's edge."""
    last = float(height) - 0.5
    corners = [(last, 255.49), (-0.5, 0.25), (255.49, -0.5), (399.5, 399.5), (width - 0.5, last)]
    yield slotted(corners[:3], corners[3:], slots)
    yield slotted([], [(3.9999998, 3.0000002), (-5.0, 0.0)], slots)
    yield slotted([(0.0, 0.0), (height + 5.0, 7.0)], [], slots)
    rng = np.random.default_rng(3)
    for _ in range(12):
        places = rng.uniform(-7, (height + 7, width + 7), (2 * slots, 2))
        places[::2] = np.round(places[::2] * 4) / 4  # squares of quarters are exact: sums hit 25
        count = int(rng.integers(0, slots + 1))
        yield slotted(places[:count], places[slots:], slots)


def slotted(positive, negative, slots):
    clicks = np.full((1, 2 * slots, 3), -1.0, np.float32)
    for start, places in ((0, positive), (slots, negative)):
        for index, (row, column) in enumerate(places):
            clicks[0, start + index, :2] = row, column
    return clicks


@pytest.mark.parametrize("target", CONVERTERS)
@pytest.mark.parametrize(("height", "width", "slots"), [(1024, 640, 3), (400, 400, 24)])
def test_disks_are_bit_equal_on_a_target(target, height, width, slots, tmp_path):
    convert, run, name = CONVERTERS[target]
    graph, _ = rewrite(tiny_model(), IOSpec(height, width, slots), ("windowed_disks",))
    example = {CLICKS: example_inputs(IOSpec(height, width, slots))[CLICKS]}
    convert(ExportInput(ClickMaps(graph, height, width), example, ("disks",)), tmp_path / name)
    painted = 0
    for clicks in awkward_clicks(height, width, slots):
        expected = disk_maps(torch.from_numpy(clicks), height=height, width=width).numpy()
        disks = run(tmp_path / name, clicks)
        assert disks.dtype == np.float32
        assert disks.tobytes() == expected.tobytes()
        painted += int(disks.sum())
    assert painted > 1000


@pytest.mark.parametrize("radius", [1, 3, 5, 5.3, 7.25])
def test_disks_are_bit_equal_for_any_click(radius):
    model = tiny_model()
    object.__setattr__(model.config, "radius", radius)
    graph, applied = rewrite(model, SPEC, ("windowed_disks",))
    assert applied == ("windowed_disks",)
    generator = torch.Generator().manual_seed(0)
    for scale in (1, 4, 1 << 12, 1 << 20):
        clicks = torch.rand((4, 48, 3), generator=generator) * 80 - 12
        clicks = torch.round(clicks * scale) / scale
        expected = disk_maps(clicks, height=61, width=67, radius=radius)
        assert torch.equal(graph.encode_clicks(clicks, 61, 67), expected)
        assert 0 < expected.mean() < 1
