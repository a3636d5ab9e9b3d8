"""TFLite keeps axes apart whatever their sizes: whole models, and click maps bit by bit."""

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx2tf", reason="the tflite extra is not installed")

from ritm_edge import open_runtime
from ritm_edge.clicks import pack_clicks
from ritm_edge.errors import ConversionError
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.registry import find_target
from ritm_edge.export.rewrites import rewrite
from ritm_edge.export.targets import tflite
from ritm_edge.io_spec import CLICKS, IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.verification.parity import FP32_TOLERANCE, click_sets, compare, parity_cases

from ..golden_files import load_arrays
from ..graphs import ClickMaps, run_tflite
from ..models import tiny_model
from ..runtimes import tiny_info

DEFAULT, BASELINE = find_target("tflite").rewrites, ()
# Wherever sizes meet, a converter that tells axes by their size takes the wrong one: as many slots
# as coordinates (2K = 2), as rows (2K = H = W), as many channels as rows inside (16 at 64x64).
VARIANTS = [
    ({"prev_mask": False}, (64, 64, 1), DEFAULT),
    ({"input_scheme": "conv1e"}, (75, 101, 1), DEFAULT),
    ({"input_scheme": "conv1e"}, (32, 32, 16), BASELINE),
    ({"input_scheme": "dmf"}, (64, 64, 3), DEFAULT),
    ({"input_scheme": "dmf", "prev_mask": False}, (48, 33, 24), BASELINE),
    ({"encoding": "distance", "radius": 260}, (32, 32, 48), DEFAULT),
    ({"encoding": "distance", "prev_mask": False}, (33, 64, 1), BASELINE),
    ({"radius": 2.5}, (32, 32, 16), DEFAULT),
    ({"lite": True, "radius": 20}, (32, 64, 16), DEFAULT),
    ({"lite": True, "prev_mask": False}, (32, 32, 1), DEFAULT),
    ({"lite": True, "input_scheme": "dmf", "encoding": "distance"}, (96, 96, 48), DEFAULT),
    ({"lite": True, "input_scheme": "conv1e"}, (33, 37, 2), BASELINE),
]


def tflite_of(model, spec, path, rewrites):
    graph, _ = rewrite(model, spec, rewrites)
    tflite.convert(ExportInput(graph, example_inputs(spec), ("mask",)), path)
    tflite.stamp(path, tiny_info(spec, "tflite").to_json())
    return path


@pytest.mark.parametrize(("options", "size", "rewrites"), VARIANTS, ids=str)
def test_variants_agree_with_pytorch_at_awkward_sizes(options, size, rewrites, tmp_path):
    model = tiny_model(**options)
    spec = IOSpec(*size, prev_mask=model.config.prev_mask)
    runtime = open_runtime(tflite_of(model, spec, tmp_path / "v.tflite", rewrites))
    report = compare(
        runtime, PytorchRuntime(model, tmp_path / "v.pth"), parity_cases(spec), FP32_TOLERANCE
    )
    assert all(case.within(FP32_TOLERANCE) for case in report.cases), report
    low, high = report.reference_range
    assert high - low > 100 * FP32_TOLERANCE.atol


def disks_of(height, width, slots, path, rewrites=()):
    """Converts the click maps alone; returns (PyTorch, TFLite), each float32 clicks to disks."""
    rewritten, _ = rewrite(tiny_model(), IOSpec(height, width, slots), rewrites)
    graph = ClickMaps(rewritten, height, width)
    example = {CLICKS: example_inputs(IOSpec(height, width, slots))[CLICKS]}
    tflite.convert(ExportInput(graph, example, ("disks",)), path)
    return (
        lambda clicks: graph(torch.from_numpy(clicks)).numpy(),
        lambda clicks: run_tflite(path, {CLICKS: clicks})["disks"],
    )


def awkward_clicks(height, width, slots):
    """The sets that verification uses, and fractions that put pixels exactly on a disk's edge."""
    rng = np.random.default_rng(3)
    for clicks in click_sets(height, width, slots=slots, rng=rng).values():
        yield pack_clicks(clicks, max_clicks=slots).astype(np.float32)
    for _ in range(20):
        array = np.full((1, 2 * slots, 3), -1.0, np.float32)
        count = int(rng.integers(1, 2 * slots + 1))
        array[0, :count, :2] = rng.uniform(-8, (height + 8, width + 8), (count, 2))
        # Quarters and halves make exact squares: distances of exactly 25 occur.
        array[0, : count // 2, :2] = np.round(array[0, : count // 2, :2] * 4) / 4
        yield array


def test_disk_maps_are_bit_equal(tmp_path):
    height, width, slots = 75, 101, 3
    reference, converted = disks_of(height, width, slots, tmp_path / "disks.tflite")
    painted = 0
    for clicks in awkward_clicks(height, width, slots):
        disks, expected = converted(clicks), reference(clicks)
        assert disks.dtype == np.float32
        assert disks.shape == expected.shape == (1, 2, height, width)
        assert disks.tobytes() == expected.tobytes()
        painted += int(disks.sum())
    assert painted > 1000


@pytest.mark.parametrize(("height", "width"), [(97, 131), (400, 400)])
def test_disk_maps_are_those_of_the_published_implementation(height, width, tmp_path):
    slots, size = 48, f"{height}x{width}"
    reference, converted = disks_of(height, width, slots, tmp_path / "disks.tflite")
    golden = load_arrays("maps.npz")
    compared_with_golden = 0
    for key in (k for k in golden if k.startswith(size) and k.endswith("/points")):
        points = golden[key]
        packed = golden[key.replace("points", "disk5")]
        maps = np.unpackbits(packed)[: len(points) * 2 * height * width]
        maps = maps.reshape(-1, 1, 2, height, width).astype(np.float32)
        for index, one in enumerate(points):
            clicks = slotted(one, slots)
            disks = converted(clicks)
            assert disks.tobytes() == reference(clicks).tobytes(), key
            if points.dtype != np.float64:  # float64 clicks are rounded on their way in
                assert disks.tobytes() == maps[index].tobytes(), key
                compared_with_golden += 1
    assert compared_with_golden >= 6


def slotted(points, slots):
    """Golden points (N positive, then N negative) in `slots` slots per sign."""
    half = len(points) // 2
    clicks = np.full((1, 2 * slots, 3), -1.0, np.float32)
    clicks[0, :half], clicks[0, slots : slots + half] = points[:half], points[half:]
    return clicks


@pytest.mark.parametrize("rewritten", [True, False])
@pytest.mark.parametrize(("height", "width", "slots"), [(32, 32, 16), (64, 64, 1), (33, 33, 3)])
def test_disk_maps_are_bit_equal_where_axes_have_equal_sizes(
    height, width, slots, rewritten, tmp_path
):
    reference, converted = disks_of(
        height, width, slots, tmp_path / "disks.tflite", DEFAULT if rewritten else BASELINE
    )
    for clicks in awkward_clicks(height, width, slots):
        assert converted(clicks).tobytes() == reference(clicks).tobytes()


def test_an_unknown_click_encoding_is_refused(tmp_path):
    """Rather than guessed at."""

    class Rounded(nn.Module):
        def forward(self, clicks):
            return torch.round(clicks)[:, None]

    source = ExportInput(Rounded().eval(), {CLICKS: torch.rand(1, 4, 3)}, ("maps",))
    with pytest.raises(ConversionError, match="the operation Round"):
        tflite.convert(source, tmp_path / "maps.tflite")
    assert list(tmp_path.iterdir()) == []
