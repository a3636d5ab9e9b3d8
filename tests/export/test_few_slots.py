"""Graphs with one or two click slots: gates and calibration use as many clicks as there are."""

from dataclasses import replace

import numpy as np
import pytest

from ritm_edge import open_runtime
from ritm_edge.data import Benchmark
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.export.calibration import record_calibration
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.precision import PrecisionOptions
from ritm_edge.export.registry import all_targets, find_target
from ritm_edge.io_spec import IOSpec
from ritm_edge.verification.acceptance import CLICKS, NOC_CLICKS, TaskTolerance, accept

from ..core.blob_runtime import BlobRuntime
from ..metadata_schema import SCHEMA, fits
from ..runtimes import tiny_info, tiny_reference
from .artifacts import description_of, skipped_without_its_extra

# Weights of noise lose more than trained ones; here it counts that there is a verdict.
DEMAND = PrecisionOptions(samples=sample_objects()[:1], accept_loss=True)
TOLERANCE = TaskTolerance(max_noc_increase=0.15, min_mask_iou=0.9, reason="test")


# Int8 where there is one, which is calibrated where a target calibrates; and all of the fastest.
ONNX = find_target("onnx")
EXPORTS = [
    *((target, list(target.precisions)[:2][-1], 1) for target in all_targets()),
    *((ONNX, name, 2) for name in ONNX.precisions),
]


@pytest.mark.usefixtures("brief_calibration")
@pytest.mark.parametrize(
    ("target", "precision", "slots"),
    [pytest.param(*each, id=f"{each[0].name}-{each[1]}-{each[2]}") for each in EXPORTS],
)
def test_exports_below_fp32_get_a_verdict(target, precision, slots, tmp_path):
    spec = IOSpec(64, 64, max_clicks=slots)
    path = tmp_path / f"tiny{target.suffix}"
    info = replace(tiny_info(spec, target.name), precision=precision)
    with skipped_without_its_extra():
        export_model(tiny_reference(), info, target, path, options=DEMAND)
    found = open_runtime(path).info
    assert found.io == spec
    assert fits(description_of(path), SCHEMA)
    assert found.parity["mask_iou_after_clicks"].keys() == {str(n + 1) for n in range(slots)}
    if target.precisions[precision].calibrated:
        assert f"fit into {slots} slots" in found.reduction["calibration"]
        assert found.reduction["calibration_inputs"] >= slots


@pytest.mark.parametrize(
    ("slots", "counts"),
    [(1, [1]), (2, [1, 2]), (3, [1, 3]), (4, [1, 3, 4]), (5, [1, 3, 5]), (24, [1, 3, 5])],
)
def test_the_gate_counts_as_far_as_the_slots_go(slots, counts):
    spec = IOSpec(96, 128, max_clicks=slots)
    samples = sample_objects()[:2]
    report = accept(
        BlobRuntime(spec, radius=12),
        BlobRuntime(radius=12),
        samples,
        TOLERANCE,
        benchmark=Benchmark("Two", tuple(samples), 400),
    )
    assert list(report.mask_iou) == counts
    assert report.mean_iou == 1.0
    assert report.noc.max_clicks == min(slots, NOC_CLICKS)
    assert report.summary()["noc"]["max_clicks"] == min(slots, NOC_CLICKS)
    assert report.noc.reference <= min(slots, NOC_CLICKS)
    assert report.passed
    assert max(CLICKS) == 5


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_calibration_sees_previous_masks_whatever_the_slots(slots):
    calibration = record_calibration(BlobRuntime(radius=12), IOSpec(96, 128, max_clicks=slots))
    made = [
        tuple(np.count_nonzero(half[:, :2].max(axis=1) >= 0) for half in np.split(clicks, 2))
        for clicks in (inputs["clicks"][0] for inputs in calibration.inputs)
    ]
    assert max(max(pair) for pair in made) <= slots
    assert sum(pair == (1, 0) for pair in made) >= 20
    assert (
        sum(
            any(pair) and inputs["prev_mask"].any()
            for pair, inputs in zip(made, calibration.inputs, strict=True)
        )
        >= 20
    )
    assert any(inputs["prev_mask"].any() for inputs in calibration.inputs)
    assert ("slots" in calibration.source) == (slots < 3)
