"""The click encoder in half precision: what moves, what is bounded, and who takes it."""

import numpy as np
import onnx
import pytest
import torch

from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.onnx.graph import onnx_graph
from ritm_edge.export.rewrites import rewrite
from ritm_edge.export.rewrites.windowed_disks import LARGEST
from ritm_edge.io_spec import CLICKS, IOSpec
from ritm_edge.model.clicks_encoding import disk_maps
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.onnx import open_session
from ritm_edge.verification.delegates import delegates
from ritm_edge.verification.half_graph import FINITE, HalfMode, half_graph

from ...graphs import ClickMaps
from ...models import tiny_model

RADIUS = 5
# 1,000 click sets in the mode that keeps least, and some in the others.
CASES = [
    (HalfMode.FLUSHED, 256, 192, 800),
    (HalfMode.FLUSHED, 400, 512, 180),
    (HalfMode.FLUSHED, 1024, 1024, 20),
    (HalfMode.RESULTS, 400, 512, 50),
    (HalfMode.STORAGE, 400, 512, 50),
]


def encoder(height, width, slots=4):
    graph, _ = rewrite(tiny_model(), IOSpec(height, width, slots), ("windowed_disks",))
    example = {CLICKS: example_inputs(IOSpec(height, width, slots))[CLICKS]}
    return onnx_graph(ExportInput(ClickMaps(graph, height, width), example, ("disks",)))


def random_clicks(rng, height, width, slots=4):
    """Filled slots on and around the image, whole and fractional; the others empty."""
    clicks = rng.uniform(-8, (height + 8, width + 8, 1), (1, 2 * slots, 3)).astype(np.float32)
    clicks[0, ::3] = np.round(clicks[0, ::3])
    clicks[0, rng.random(2 * slots) < 0.4] = -1
    return clicks


def undecided(clicks, height, width):
    """Pixels whose distance to a click is the radius as far as float16 coordinates can tell."""
    result = np.zeros((height, width), bool)
    for row, column, _ in clicks:
        if max(row, column) >= 0:
            top, left = (max(0, int(place) - RADIUS - 2) for place in (row, column))
            rows = np.arange(top, min(height, top + 4 * RADIUS))[:, None]
            columns = np.arange(left, min(width, left + 4 * RADIUS))[None, :]
            distance = np.hypot(rows - row, columns - column)
            rounding = float(np.spacing(np.float16(max(abs(row), abs(column), 16))))
            result[rows, columns] |= np.abs(distance - RADIUS) <= rounding
    return result


@pytest.mark.parametrize(("mode", "height", "width", "count"), CASES)
def test_a_disk_moves_by_no_more_than_its_coordinates_are_rounded(mode, height, width, count):
    half, _ = half_graph(encoder(height, width), mode)
    session = open_session(half.SerializeToString(), threads=1)
    rng = np.random.default_rng(7)
    different = painted = 0
    for _ in range(count):
        clicks = random_clicks(rng, height, width)
        disks, finite = session.run(["disks", FINITE], {CLICKS: clicks})
        assert np.isfinite(finite).all()
        assert set(np.unique(disks)) <= {0.0, 1.0}
        expected = disk_maps(torch.from_numpy(clicks), height=height, width=width).numpy()
        for sign, slots in enumerate((slice(0, 4), slice(4, 8))):
            wrong = disks[0, sign] != expected[0, sign]
            if wrong.any():
                assert not (wrong & ~undecided(clicks[0, slots], height, width)).any()
            if (clicks[0, slots, :2].max(axis=1) < 0).all():
                assert not disks[0, sign].any()
        different += int((disks != expected).sum())
        painted += int(expected.sum())
    assert painted > 81 * count / 2
    assert 0 < different < painted / 5  # rounding does move some: the emulation is no pretence


def test_no_value_inside_comes_near_the_end_of_float16():
    model = encoder(1024, 1024)
    names = [name for node in model.graph.node for name in node.output]
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    model.graph.output.extend(value for value in inferred if value.name in names)
    session = open_session(model.SerializeToString(), threads=1, optimize=False)
    far = np.full((1, 8, 3), -1, np.float32)
    far[0, :3, :2] = [(30_000, 30_000), (-30_000, 3), (1023, 1023)]
    for clicks in (far, random_clicks(np.random.default_rng(1), 1024, 1024)):
        values = session.run(None, {CLICKS: clicks})
        assert len(values) > 30
        inside = [v for v in values if v.dtype == np.float32 and v.shape[-1] != 3]
        # What is computed from a coordinate alone is as large as the coordinate.
        assert max(float(np.abs(v).max()) for v in inside if v.size > 1100) <= LARGEST


def test_every_mobile_engine_takes_the_encoder_in_one_piece(tmp_path):
    path = tmp_path / "disks.onnx"
    onnx.save(encoder(400, 400), path)
    found = delegates(path)
    assert len(found) == 3
    assert all(each.whole and each.taken == each.operations for each in found), found
