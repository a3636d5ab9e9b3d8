"""Acceptance by task: masks after clicks, numbers of clicks, what passes and what is said."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ritm_edge.data import Benchmark
from ritm_edge.data.base import Sample
from ritm_edge.errors import InputFileError, ParityError, ShapeError
from ritm_edge.evaluation.labelled_photos import folder_objects, sample_objects
from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.narrowed import NarrowedRuntime
from ritm_edge.verification.acceptance import (
    CLICKS,
    NocDifference,
    TaskTolerance,
    accept,
    mask_agreement,
)

from .blob_runtime import BlobRuntime
from .image_files import write_image

TOLERANCE = TaskTolerance(max_noc_increase=0.15, min_mask_iou=0.9, reason="test")


class Blind(BlobRuntime):
    """Sees only half of every disk it should draw."""

    def run(self, inputs):
        mask = super().run(inputs)["mask"]
        return {"mask": mask * (np.arange(mask.shape[3]) % 2)}


@pytest.fixture
def samples():
    return sample_objects()[:2]


def test_the_sample_photo_has_five_objects():
    objects = sample_objects()
    assert [sample.name for sample in objects] == [f"astronaut#{n}" for n in range(1, 6)]
    for sample in objects:
        photo, truth = sample.load()
        assert photo.shape == (512, 512, 3)
        assert 0.02 < (truth == 1).mean() < 0.4


def test_the_same_runtime_agrees_with_itself(samples):
    report = accept(BlobRuntime(), BlobRuntime(), samples, TOLERANCE)
    assert report.mask_iou == dict.fromkeys(CLICKS, 1.0)
    assert report.lowest_iou == 1.0
    assert report.objects == 2
    assert report.noc is None
    report.require_passed()


def test_other_masks_fail_and_the_message_says_what_to_do(samples):
    report = accept(Blind(), BlobRuntime(), samples, TOLERANCE)
    assert report.mean_iou < 0.6
    assert report.lowest_iou <= report.mean_iou
    with pytest.raises(ParityError, match=r"limit 0\.9: keep more layers") as caught:
        report.require_passed()
    assert "\n" not in str(caught.value)
    assert report.summary()["passed"] is False


def test_a_mask_that_is_not_a_number_fails(samples):
    report = accept(BlobRuntime(), BlobRuntime(), samples, TOLERANCE)
    assert not replace(report, mask_iou={1: float("nan")}).passed


def test_clicks_on_a_benchmark_decide_where_there_is_one(samples):
    benchmark = Benchmark("Two", tuple(samples), 400)
    told = []
    report = accept(
        Blind(), BlobRuntime(), samples, TOLERANCE, benchmark=benchmark, progress=told.append
    )
    noc = report.noc
    assert (noc.benchmark, noc.samples) == ("Two", 2)
    assert 1 <= noc.reference <= 20
    assert noc.increase == noc.artifact - noc.reference
    assert any("Two" in text for text in told)
    worse = replace(report, noc=NocDifference("Two", 2, 5.0, 5.2))
    with pytest.raises(ParityError, match=r"\+0.20 clicks to IoU 0.90 on Two"):
        worse.require_passed()
    replace(report, noc=NocDifference("Two", 2, 5.0, 5.1)).require_passed()


def test_both_get_the_clicks_made_on_the_reference(samples):
    seen = {"reference": [], "artifact": []}

    class Watched(BlobRuntime):
        def __init__(self, name):
            super().__init__()
            self.log = seen[name]

        def run(self, inputs):
            self.log.append(np.array(inputs["clicks"]))
            return super().run(inputs)

    mask_agreement(Watched("artifact"), Watched("reference"), samples[0])
    assert len(seen["reference"]) == len(seen["artifact"]) == 2 * max(CLICKS)
    for first, second in zip(*seen.values(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_narrowed_runtime_refuses_other_sizes():
    runtime = NarrowedRuntime(BlobRuntime(), IOSpec(64, 96, max_clicks=3))
    inputs = {"image": np.zeros((1, 3, 64, 96)), "clicks": np.full((1, 6, 3), -1.0)}
    assert runtime.run(inputs)["mask"].shape == (1, 1, 64, 96)
    with pytest.raises(ShapeError, match=r"instead of \[1, 3, 64, 96\]"):
        runtime.run({**inputs, "image": np.zeros((1, 3, 96, 64))})


def folder_with(folder: Path, squares: list[int]) -> Path:
    """One photo per entry with a square object of that side."""
    for sub in ("images", "masks"):
        (folder / sub).mkdir(parents=True)
    for number, side in enumerate(squares):
        write_image(folder / "images" / f"{number}.png", np.zeros((64, 64, 3), np.uint8))
        labels = np.zeros((64, 64), np.uint8)
        labels[:side, :side] = 1
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), labels)
    return folder


def test_objects_of_a_folder_are_spread_and_large_enough(tmp_path):
    folder = folder_with(tmp_path / "photos", [30, 5, 30, 30, 30])
    names = [sample.name for sample in folder_objects(folder, count=3)]
    assert names == ["0#1", "2#1", "4#1"]
    assert len(folder_objects(folder, count=9)) == 4
    small = folder_with(tmp_path / "small", [5])
    with pytest.raises(InputFileError, match=r"no object in .* has 400 pixels"):
        folder_objects(small, count=3)
    assert all(isinstance(sample, Sample) for sample in folder_objects(folder, count=1))
