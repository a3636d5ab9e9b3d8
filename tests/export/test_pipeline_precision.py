"""Precisions in the pipeline: names, self-description, and who is kept."""

import json
from dataclasses import replace

import pytest

from ritm_edge import open_runtime
from ritm_edge.errors import ParityError, UsageError
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.export.pipeline import artifact_name, export_model
from ritm_edge.export.precision import PrecisionOptions, ReducedPrecision
from ritm_edge.export.registry import find_precision, find_target
from ritm_edge.io_spec import IOSpec
from ritm_edge.verification.acceptance import TaskTolerance

from ..runtimes import tiny_info, tiny_reference

SPEC = IOSpec(64, 96, max_clicks=6)
DEMAND = PrecisionOptions(samples=sample_objects()[:1])
LENIENT = TaskTolerance(max_noc_increase=20, min_mask_iou=0.3, reason="weights of noise")


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The float32 file, as every stand-in for a converter below writes it."""
    path = tmp_path_factory.mktemp("fp32") / "tiny.onnx"
    export_model(tiny_reference(), tiny_info(SPEC, "onnx"), find_target("onnx"), path)
    return path.read_bytes()


def target_with(convert, tolerance=LENIENT, **options):
    reduced = ReducedPrecision(convert, tolerance, **options)
    return replace(find_target("onnx"), precisions={"int8": reduced})


def info():
    return replace(tiny_info(SPEC, "onnx"), precision="int8")


def test_precisions_are_in_the_name():
    onnx = find_target("onnx")
    assert artifact_name("hrnet18s", SPEC, onnx) == "hrnet18s-64x96.onnx"
    assert artifact_name("hrnet18s", SPEC, onnx, "int8") == "hrnet18s-64x96-int8.onnx"


def test_unknown_precisions_are_refused():
    assert find_precision(find_target("onnx"), "fp32") is None
    with pytest.raises(UsageError, match="unknown precision 'int4'"):
        find_precision(find_target("onnx"), "int4")
    with pytest.raises(UsageError, match="target coreml has no precision int8-dynamic"):
        find_precision(find_target("coreml"), "int8-dynamic")


def test_int8_end_to_end(tmp_path):
    """The real converter on the tiny model; weights of noise lose more than trained ones."""
    onnx = find_target("onnx")
    lenient = {name: replace(p, tolerance=LENIENT) for name, p in onnx.precisions.items()}
    target = replace(onnx, precisions=lenient)
    path = tmp_path / "tiny.onnx"
    item = export_model(tiny_reference(), info(), target, path, options=DEMAND)
    assert item.task is not None
    assert item.task.objects == 1
    stamped = open_runtime(path).info
    assert stamped.precision == "int8"
    assert stamped.parity["passed"] is True
    assert stamped.parity["mask_iou_after_clicks"].keys() == {"1", "3", "5"}
    assert stamped.parity["max_abs"] == item.parity.max_abs
    assert stamped.reduction["calibration"] == "sample photo, augmented"
    assert stamped.reduction["kept_float"] == list(onnx.precisions["int8"].keep_float)
    assert json.dumps(item.task.as_dict())


def test_what_loses_too_much_is_kept_only_on_demand(converted, tmp_path):
    impossible = TaskTolerance(max_noc_increase=0, min_mask_iou=1.1, reason="test")
    target = target_with(lambda _, path: path.write_bytes(converted), impossible)
    path = tmp_path / "tiny.onnx"
    with pytest.raises(ParityError, match=r"tiny\.onnx loses too much"):
        export_model(tiny_reference(), info(), target, path, options=DEMAND)
    assert list(tmp_path.iterdir()) == []
    options = replace(DEMAND, accept_loss=True)
    item = export_model(tiny_reference(), info(), target, path, options=options)
    assert not item.task.passed
    assert open_runtime(path).info.parity["passed"] is False


def test_the_converter_gets_what_was_asked_for(converted, tmp_path):
    given = []

    def convert(source, path):
        given.append(source)
        path.write_bytes(converted)

    target = target_with(convert, keep_float=("a",))
    for number, options in enumerate((DEMAND, replace(DEMAND, keep_float=("b", "c")))):
        path = tmp_path / f"{number}.onnx"
        export_model(tiny_reference(), info(), target, path, options=options)
    assert [source.keep_float for source in given] == [("a",), ("b", "c")]
    assert [list(source.calibration) for source in given] == [[], []]


def test_a_precision_of_fixed_size_says_so(tmp_path):
    target = target_with(lambda *_: None)
    anything = replace(info(), io=IOSpec(max_clicks=2))
    with pytest.raises(UsageError, match="needs a fixed size"):
        export_model(tiny_reference(), anything, target, tmp_path / "tiny.onnx")
