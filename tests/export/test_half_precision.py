"""What exports say about half precision, and what `verify` finds on real weights."""

import json

import pytest
from typer.testing import CliRunner

from ritm_edge import open_runtime
from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.cli.main import app
from ritm_edge.errors import ParityError, UsageError
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.export.half_precision import float_graph
from ritm_edge.export.pipeline import export_checkpoint, export_model
from ritm_edge.export.registry import find_target
from ritm_edge.export.rewrites import NAMES, rewrite
from ritm_edge.io_spec import IOSpec
from ritm_edge.verification.half_graph import HalfMode
from ritm_edge.verification.half_precision import EmulatedDevice, EmulatedProgram, judge
from ritm_edge.weights import default_checkpoint

from ..runtimes import tiny_info, tiny_reference
from .artifacts import SPEC, each_target


@each_target
def test_every_default_artifact_is_safe_and_says_so(exported):
    _, item = exported
    half = open_runtime(item.path).info.half_precision
    assert half["safe"] is True
    assert half["reason"] == ""
    assert half["mode"] == "flushed"
    assert item.half.passed


def test_the_baseline_graph_is_not_safe_and_says_why(tmp_path):
    path = tmp_path / "tiny.onnx"
    info = tiny_info(SPEC, "onnx")
    item = export_model(tiny_reference(), info, find_target("onnx"), path, rewrites=())
    assert not item.half.passed
    half = open_runtime(path).info.half_precision
    assert half["safe"] is False
    assert "overflows" in half["reason"]


def test_the_artifacts_own_rewrites_are_emulated():
    """Each rewrite alone leaves the baseline's fault in, but for the one that mends it."""
    reference = tiny_reference()
    for name in NAMES:
        info = tiny_info(SPEC, "onnx")
        graph = float_graph(reference, info.__class__(**{**vars(info), "rewrites": (name,)}))
        device = EmulatedDevice(graph, SPEC, HalfMode.STORAGE)
        report = judge(device, reference, sample_objects()[:1], clicks=(1,))
        assert report.finite is (name == "windowed_disks"), name


def test_an_ml_program_is_emulated_by_its_evaluator(tmp_path):
    pytest.importorskip("coremltools")
    reference = tiny_reference()
    for rewrites, safe in ((None, True), ((), False)):
        path = tmp_path / f"{safe}.mlpackage"
        target = find_target("coreml")
        export_model(reference, tiny_info(SPEC, "coreml"), target, path, rewrites=rewrites)
        device = EmulatedProgram(open_package(path), SPEC)
        report = judge(device, reference, sample_objects()[:1])
        assert report.finite is safe
        assert report.passed is safe
        assert bool(report.reason) is not safe


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lite0")
    spec = IOSpec(256, 256, max_clicks=8)
    checkpoint = default_checkpoint("lite0")
    for rewrites in (None, ()):
        export_checkpoint(
            checkpoint, find_target("onnx"), spec=spec, output=folder, rewrites=rewrites
        )
    return folder


def test_verify_emulates_every_mode(lite0):
    path = lite0 / "lite0-256x256.onnx"
    done = CliRunner().invoke(app, ["verify", str(path), "--emulate", "fp16", "--json"])
    assert done.exit_code == 0, done.exception
    modes = json.loads(done.stdout)["modes"]
    assert [each["mode"] for each in modes] == [*HalfMode]
    for each in modes:
        assert min(each["mask_iou_after_clicks"].values()) >= each["min_mask_iou"]
        assert set(each["mask_iou_after_clicks"]) == {"1", "3", "5"}


def test_verify_refuses_what_half_precision_breaks(lite0):
    path = lite0 / "lite0-256x256-baseline.onnx"
    done = CliRunner().invoke(app, ["verify", str(path), "--emulate", "fp16"])
    assert isinstance(done.exception, ParityError)
    assert done.exception.exit_code == 3
    assert "overflows" in str(done.exception)


def test_other_kinds_of_emulation_are_refused(lite0):
    path = lite0 / "lite0-256x256.onnx"
    done = CliRunner().invoke(app, ["verify", str(path), "--emulate", "bf16"])
    assert isinstance(done.exception, UsageError)
    assert "--emulate bf16" in str(done.exception)
    info = tiny_info(SPEC, "onnx")
    integer = info.__class__(**{**vars(info), "precision": "int8"})
    with pytest.raises(UsageError, match="computes in integers"):
        float_graph(tiny_reference(), integer)


@pytest.mark.parametrize("exported", [find_target("onnx"), find_target("tflite")], indirect=True)
def test_accelerators_take_the_default_artifact_whole(exported):
    _, item = exported
    done = CliRunner().invoke(app, ["verify", str(item.path), "--delegates", "--json"])
    assert done.exit_code == 0, done.exception
    found = {each["engine"]: each for each in json.loads(done.stdout)["delegates"]}
    for engine, each in found.items():
        assert not each["refused"], engine
        assert each["partitions"] in (1, None) or "XNNPACK" in engine, each
    if item.path.suffix == ".tflite":
        assert {"LiteRT GPU (by name)", "LiteRT CPU, XNNPACK"} <= found.keys()


def test_delegates_names_what_falls_out(lite0):
    path = lite0 / "lite0-256x256-baseline.onnx"
    done = CliRunner().invoke(app, ["verify", str(path), "--delegates", "--json"])
    found = json.loads(done.stdout)["delegates"]
    assert all(each["partitions"] > 1 and each["taken"] < each["operations"] for each in found)
    assert {"Where", "LessOrEqual"} & {name for each in found for name in each["refused"]}


def test_delegates_of_another_kind_of_file(tmp_path):
    from ritm_edge.verification.delegates import delegates

    with pytest.raises(UsageError, match=r"pass an .onnx or .tflite file"):
        delegates(tmp_path / "m.ncnn")


def test_the_context_is_exact_and_its_weights_stay_large():
    """OCR's softmax over all pixels falls below float16's normal numbers; the means do not."""
    import torch

    from ritm_edge.export.rewrites.two_stage_means import ContextByMeans, TwoStageMean
    from ritm_edge.model.ocr import gather_context

    generator = torch.Generator().manual_seed(0)
    for size, spread in (((100, 100), 4.0), ((7, 33), 20.0), ((256, 256), 8.0), ((1, 1), 1.0)):
        features = torch.rand((1, 12, *size), generator=generator) * 5
        logits = torch.randn((1, 1, *size), generator=generator) * spread - 30
        expected = gather_context(features, logits)
        for context, mean in (
            (ContextByMeans(), TwoStageMean()),
            (open_size(ContextByMeans(), 2), open_size(TwoStageMean(), 1)),
        ):
            found = context(features, logits)
            assert found.shape == expected.shape
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
            assert torch.allclose(mean(features), features.mean((2, 3), keepdim=True), atol=1e-5)
    assert rewrite(tiny_reference().model, SPEC, ("two_stage_means",))[1] == ("two_stage_means",)


def open_size(module, inputs):
    """The module exported for any height and width."""
    import torch

    sizes = {2: torch.export.Dim("height", max=4096), 3: torch.export.Dim("width", max=4096)}
    example = (torch.rand(1, 12, 20, 30), torch.rand(1, 1, 20, 30))[:inputs]
    return torch.export.export(module, example, dynamic_shapes=(sizes,) * inputs).module()
