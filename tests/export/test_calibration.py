"""Recorded inputs: what a graph is asked while the simulated user clicks."""

import cv2
import numpy as np

from ritm_edge.export.calibration import CLICKS, OBJECTS, record_calibration
from ritm_edge.io_spec import IOSpec

from ..core.blob_runtime import BlobRuntime

SPEC = IOSpec(64, 96, max_clicks=3)


def test_the_default_is_the_sample_photo_in_many_variants():
    calibration = record_calibration(BlobRuntime(radius=10), SPEC)
    assert calibration.source == "sample photo, augmented"
    assert len(calibration.inputs) == OBJECTS * CLICKS
    for number, inputs in enumerate(calibration.inputs):
        assert inputs["image"].shape == (1, 3, 64, 96)
        assert 0 <= inputs["image"].min() < inputs["image"].max() <= 255
        made = np.count_nonzero(inputs["clicks"][0, :, :2].max(axis=1) >= 0)
        assert made == number % CLICKS + 1
        assert inputs["prev_mask"].any() == (number % CLICKS > 0)
    photos = {inputs["image"].tobytes() for inputs in calibration.inputs}
    assert len(photos) >= OBJECTS


def test_it_is_the_same_every_time():
    first, second = (record_calibration(BlobRuntime(radius=10), SPEC) for _ in range(2))
    for one, other in zip(first.inputs, second.inputs, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_graph_of_any_size_is_calibrated_at_400():
    calibration = record_calibration(BlobRuntime(radius=40), IOSpec(max_clicks=3))
    assert calibration.inputs[0]["image"].shape == (1, 3, 400, 400)


def test_a_folder_of_photos(tmp_path):
    folder = tmp_path / "mine"
    for sub in ("images", "masks"):
        (folder / sub).mkdir(parents=True)
    photo = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    labels = np.zeros((80, 80), np.uint8)
    labels[20:60, 20:60] = 7
    cv2.imwrite(str(folder / "images" / "a.png"), photo)
    cv2.imwrite(str(folder / "masks" / "a.png"), labels)
    calibration = record_calibration(BlobRuntime(radius=5), SPEC, folder)
    assert calibration.source == "1 photos of mine"
    assert len(calibration.inputs) == CLICKS
