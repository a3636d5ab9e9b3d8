"""EfficientNet-Lite on every target: the same graph contract, the same verification."""

from dataclasses import replace
from pathlib import Path

import pytest

from ritm_edge import open_runtime
from ritm_edge.errors import MissingExtraError
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.precision import PrecisionOptions
from ritm_edge.export.registry import all_targets
from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.verification.acceptance import TaskTolerance
from ritm_edge.verification.parity import compare, parity_cases

from ..models import tiny_model
from ..runtimes import tiny_info

SPEC = IOSpec(64, 96, max_clicks=4)
LENIENT = TaskTolerance(max_noc_increase=20, min_mask_iou=0.3, reason="weights of noise")
PRECISIONS = [
    pytest.param(target, precision, id=f"{target.name}-{precision}")
    for target in all_targets()
    for precision in ("fp32", *target.precisions)
]


def export(target, precision, folder, **options):
    reference = PytorchRuntime(tiny_model(lite=True, **options), Path("tiny.pth"))
    info = replace(tiny_info(SPEC, target.name), precision=precision)
    if precision != "fp32":
        lenient = {n: replace(p, tolerance=LENIENT) for n, p in target.precisions.items()}
        target = replace(target, precisions=lenient)
    options = None if precision == "fp32" else PrecisionOptions(samples=sample_objects()[:1])
    try:
        path = folder / f"lite{target.suffix}"
        return reference, export_model(reference, info, target, path, options=options)
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("brief_calibration")
@pytest.mark.parametrize(("target", "precision"), PRECISIONS)
def test_every_target_and_precision_passes_its_verification(target, precision, tmp_path):
    reference, item = export(target, precision, tmp_path)
    assert item.parity.passed or precision != "fp32"
    runtime = open_runtime(item.path)
    assert runtime.spec == SPEC
    assert runtime.info.precision == precision
    report = compare(runtime, reference, parity_cases(SPEC, seed=5), target.tolerance)
    if precision == "fp32":
        assert report.passed
        assert "fold_batch_norm" in item.rewrites
        assert "fold_scales" in item.rewrites


@pytest.mark.parametrize("scheme", ["conv1e", "dmf"])
def test_other_input_schemes_are_exported_too(scheme, tmp_path):
    onnx = next(target for target in all_targets() if target.name == "onnx")
    reference, item = export(onnx, "fp32", tmp_path, input_scheme=scheme)
    assert compare(open_runtime(item.path), reference, parity_cases(SPEC), onnx.tolerance).passed
