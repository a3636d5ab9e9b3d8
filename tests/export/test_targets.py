"""Every registered target: convert a small model, describe itself, agree with PyTorch."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ritm_edge import open_runtime
from ritm_edge.artifacts.info import ArtifactInfo
from ritm_edge.errors import (
    ArtifactError,
    InputFileError,
    ParityError,
    ShapeError,
    UsageError,
)
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.export import pipeline
from ritm_edge.export.pipeline import Exported, export_model
from ritm_edge.export.registry import all_targets, find_target
from ritm_edge.export.rewrites import NAMES
from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.base import runtime_suffixes
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.session.zoom_in import ZoomIn
from ritm_edge.verification.parity import compare, parity_cases

from ..metadata_schema import SCHEMA, fits
from ..models import tiny_model
from ..runtimes import tiny_info, tiny_reference
from .artifacts import SPEC, TARGETS, description_of, each_target, skipped_without_its_extra


def test_three_targets_are_registered_and_each_has_a_runtime():
    names = {target.name: target.suffix for target in all_targets()}
    assert {"onnx": ".onnx", "tflite": ".tflite", "coreml": ".mlpackage"}.items() <= names.items()
    assert set(names.values()) <= set(runtime_suffixes())
    with pytest.raises(UsageError, match="unknown target 'onx'"):
        find_target("onx")


@each_target
def test_the_artifact_describes_itself(exported):
    target, item = exported
    runtime = open_runtime(item.path)
    assert runtime.info is not None
    assert runtime.info.target == target.name
    assert runtime.info.rewrites == item.rewrites == target.rewrites
    assert runtime.spec == SPEC
    assert runtime.info.parity["passed"] is True
    assert runtime.info.parity["max_abs"] == item.parity.max_abs
    assert list(item.path.parent.iterdir()) == [item.path]
    description = description_of(item.path)
    assert fits(description, SCHEMA)
    assert description.keys() == SCHEMA["properties"].keys()
    assert description["content_sha256"] == runtime.info.content_sha256


@each_target
def test_it_agrees_with_pytorch_on_inputs_it_was_not_verified_on(exported):
    target, item = exported
    photo = np.random.default_rng(5).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    report = compare(
        open_runtime(item.path),
        tiny_reference(),
        parity_cases(SPEC, seed=77, photos=[photo]),
        target.tolerance,
    )
    assert report.passed, report
    assert {"no click", "one positive", "outside", "all slots full", "photo 1"} <= {
        case.name for case in report.cases
    }


@each_target
def test_uint8_images_and_a_missing_previous_mask_are_accepted(exported):
    runtime = open_runtime(exported[1].path, threads=1)
    image = np.random.default_rng(1).integers(0, 256, (1, 3, 64, 96), dtype=np.uint8)
    clicks = np.full((1, 6, 3), -1)
    clicks[0, 0] = 30, 40, 0
    mask = runtime.run({"image": image, "clicks": clicks})["mask"]
    zeros = np.zeros((1, 1, 64, 96))
    given = runtime.run({"image": image, "clicks": clicks, "prev_mask": zeros})["mask"]
    assert mask.dtype == np.float32
    assert np.array_equal(mask, given)


@each_target
def test_wrong_names_and_shapes_are_refused(exported):
    runtime = open_runtime(exported[1].path)
    image, clicks = np.zeros((1, 3, 64, 96)), np.zeros((1, 6, 3))
    with pytest.raises(ShapeError, match=r"\[1, 3, 64, 64\] instead of \[1, 3, 64, 96\]"):
        runtime.run({"image": image[..., :64], "clicks": clicks})
    with pytest.raises(ShapeError, match="clicks"):
        runtime.run({"image": image, "clicks": clicks[:, :4]})
    with pytest.raises(ShapeError, match="points"):
        runtime.run({"image": image, "points": clicks})


def weight_file(path):
    return next(path.rglob("weight.bin")) if path.is_dir() else path


@each_target
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.98])
def test_truncated_files_give_one_sentence(exported, keep, tmp_path):
    source = exported[1].path
    copy = tmp_path / source.name
    shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    part = weight_file(copy)
    part.write_bytes(part.read_bytes()[: int(keep * part.stat().st_size)])
    with pytest.raises(ArtifactError) as caught:
        open_runtime(copy).run({"image": np.zeros((1, 3, 64, 96)), "clicks": -np.ones((1, 6, 3))})
    assert "\n" not in str(caught.value)


@each_target
def test_an_artifact_without_description_is_refused(exported, tmp_path):
    target, item = exported
    copy = tmp_path / item.path.name
    shutil.copytree(item.path, copy) if item.path.is_dir() else shutil.copy(item.path, copy)
    target.stamp(copy, json.dumps({"format_version": 99}))
    with pytest.raises(ArtifactError, match=r"another format|no checksum"):
        open_runtime(copy)


@each_target
def test_a_description_of_other_shapes_is_refused(exported, tmp_path):
    """Whoever edits the metadata must not make a session feed wrong shapes."""
    target, item = exported
    copy = tmp_path / item.path.name
    shutil.copytree(item.path, copy) if item.path.is_dir() else shutil.copy(item.path, copy)
    info = open_runtime(item.path).info
    target.stamp(copy, replace(info, io=replace(SPEC, height=128)).to_json())
    with pytest.raises(ArtifactError):
        open_runtime(copy).run({"image": np.zeros((1, 3, 128, 96)), "clicks": -np.ones((1, 6, 3))})


@pytest.mark.parametrize("target", TARGETS)
def test_a_model_without_previous_mask(target, tmp_path):
    spec = IOSpec(64, 64, max_clicks=1, prev_mask=False)
    with skipped_without_its_extra():
        item = export_model(
            PytorchRuntime(tiny_model(prev_mask=False, lite=True), Path("tiny.pth")),
            tiny_info(spec, target.name),
            target,
            tmp_path / f"tiny{target.suffix}",
        )
    assert item.parity.passed
    assert open_runtime(item.path).spec.input_names == ("image", "clicks")


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory) -> Exported:
    spec = IOSpec(max_clicks=4)
    path = tmp_path_factory.mktemp("dynamic") / "tiny.onnx"
    return export_model(tiny_reference(), tiny_info(spec, "onnx"), find_target("onnx"), path)


def test_a_dynamic_artifact_takes_any_size(dynamic):
    assert len({case.name.split()[-1] for case in dynamic.parity.cases}) == 2
    # Rewrites that need a size are left out.
    assert set(NAMES) - set(dynamic.rewrites) == {"commute_upsampling", "resize_by_matrices"}
    applied = tuple(name for name in NAMES if name in dynamic.rewrites)
    assert dynamic.rewrites == applied
    inputs = {"image": np.zeros((1, 3, 37, 101)), "clicks": -np.ones((1, 8, 3))}
    mask = open_runtime(dynamic.path).run(inputs)
    assert mask["mask"].shape == (1, 1, 37, 101)


@pytest.mark.parametrize(("flip", "zoom_in"), [(True, ZoomIn(160)), (False, None)])
def test_an_evaluation_clicks_through_a_dynamic_artifact_as_through_pytorch(dynamic, flip, zoom_in):
    settings = EvaluationSettings(max_clicks=4, flip=flip, zoom_in=zoom_in)
    artifact = open_runtime(dynamic.path)
    for seed in range(2):
        expected = evaluate_sample(tiny_reference(), Square(seed), settings)
        found = evaluate_sample(artifact, Square(seed), settings)
        assert found.clicks == expected.clicks
        assert np.allclose(found.ious, expected.ious, atol=1e-3)


class Square:
    """A photo of noise with a square as its object."""

    def __init__(self, seed: int) -> None:
        self.name, self.seed = str(seed), seed

    def load(self):
        image = np.random.default_rng(self.seed).integers(0, 256, (90, 140, 3), dtype=np.uint8)
        truth = np.zeros((90, 140), np.int32)
        truth[20:60, 30 + 20 * self.seed : 80] = 1
        return image, truth


@pytest.mark.parametrize("target", [p for p in TARGETS if not p.values[0].any_size])
def test_a_target_without_dynamic_sizes_says_so(target, tmp_path):
    info = tiny_info(IOSpec(max_clicks=2), target.name)
    with pytest.raises(UsageError, match="needs a fixed size"):
        export_model(tiny_reference(), info, target, tmp_path / f"tiny{target.suffix}")


def test_an_artifact_that_disagrees_is_not_kept(tmp_path):
    """The converter below exports other weights than those it is compared with."""
    old = tmp_path / "tiny.onnx"
    old.write_text("older artifact")
    good = find_target("onnx")

    def convert_wrongly(source, path):
        source.graph.model.feature_extractor.cls_head.bias.data += 0.01
        good.convert(source, path)

    bad = replace(good, convert=convert_wrongly)
    with pytest.raises(ParityError, match="disagrees with PyTorch"):
        export_model(tiny_reference(), tiny_info(SPEC, "onnx"), bad, old, rewrites=())
    assert old.read_text() == "older artifact"
    assert list(tmp_path.iterdir()) == [old]


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        open_runtime(tmp_path / "none.onnx")
    (tmp_path / "model.bin").write_text("x")
    with pytest.raises(InputFileError, match="no known suffix"):
        open_runtime(tmp_path / "model.bin")


def test_descriptions_survive_a_round_trip(tmp_path):
    info = tiny_info(SPEC, "onnx")
    assert ArtifactInfo.from_json(info.to_json(), tmp_path) == info
    assert pipeline.artifact_name("hrnet18s", SPEC, find_target("onnx")) == "hrnet18s-64x96.onnx"
