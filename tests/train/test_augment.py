"""Crops keep photo and labels together; colours keep their range."""

import numpy as np
import pytest

from ritm_edge.train.augment import published_crop, random_colour, random_flips
from ritm_edge.train.config import AugmentationSettings
from ritm_edge.train.object_crops import random_crop

from .photos import COLOURS, shapes

SETTINGS = AugmentationSettings()


def nearest_label(photo: np.ndarray) -> np.ndarray:
    """Which object's colour each pixel has; 255 for the black ground beyond the photo."""
    palette = np.vstack((COLOURS, (0, 0, 0)))
    distance = ((photo[:, :, None].astype(int) - palette) ** 2).sum(axis=3)
    found = distance.argmin(axis=2).astype(np.uint8)
    found[found == len(COLOURS)] = 255
    return found


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (200, 120)])
@pytest.mark.parametrize("around_object", [True, False])
def test_photo_and_labels_stay_aligned(size, around_object):
    rng = np.random.default_rng(0)
    for seed in range(30):
        photo, labels = shapes(seed)
        rows, columns = np.nonzero(labels == 1)
        box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        crop, maps = random_crop(
            photo, labels[..., None], size=size, around=box if around_object else None, rng=rng
        )
        crop, maps = random_flips(crop, maps, SETTINGS, rng=rng)
        crop_labels = maps[..., 0]
        assert crop.shape == (*size, 3)
        assert crop_labels.shape == size
        seen = nearest_label(crop)
        outside = seen == 255
        assert not crop_labels[outside].any()
        # Blended edges differ, regions do not: shifting by even a few pixels costs more.
        for label in (1, 2):
            truth = crop_labels == label
            if truth.sum() > 300:
                both = (truth & (seen == label)).sum()
                assert both / (truth | (seen == label)).sum() > 0.8
        if around_object:
            assert (crop_labels == 1).any()


def test_shrinking_shifts_the_labels_no_more_than_the_photo():
    rng = np.random.default_rng(0)
    labels = np.zeros((256, 256), np.uint8)
    labels[90:170, 100:160] = 1
    photo = np.repeat(labels[..., None] * 255, 3, axis=2)
    shifts = []
    for _ in range(40):
        crop, maps = random_crop(
            photo, labels[..., None], size=(32, 32), around=(60, 60, 200, 200), rng=rng
        )
        seen, truth = crop[..., 0].astype(float), maps[..., 0].astype(float)
        shifts.append(
            [(a.sum(axis=x) @ np.arange(32)) / a.sum() for a in (seen, truth) for x in (1, 0)]
        )
    rows_seen, columns_seen, rows, columns = np.mean(shifts, axis=0)
    assert rows == pytest.approx(rows_seen, abs=0.05)  # pixels of the crop
    assert columns == pytest.approx(columns_seen, abs=0.05)


def test_a_window_beyond_the_photo_is_black_and_unlabelled():
    photo = np.full((40, 40, 3), 200, np.uint8)
    labels = np.full((40, 40), 7, np.uint8)
    rng = np.random.default_rng(0)
    padded = 0
    for _ in range(30):
        crop, maps = random_crop(
            photo, labels[..., None], size=(64, 64), around=(0, 0, 40, 40), rng=rng
        )
        crop_labels = maps[..., 0]
        inside = crop_labels == 7
        assert set(np.unique(crop_labels)) <= {0, 7}
        assert (crop[inside] == 200).all()
        assert (crop[~inside] == 0).all()
        padded += not inside.all()
    assert padded > 20


def test_a_large_photo_needs_no_larger_buffers():
    import tracemalloc

    photo = np.zeros((3000, 2000, 3), np.uint8)
    labels = np.ones((3000, 2000, 1), np.uint8)
    rng = np.random.default_rng(0)
    tracemalloc.start()
    for _ in range(5):
        random_crop(photo, labels, size=(64, 64), around=(0, 0, 3000, 2000), rng=rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < photo.nbytes


def test_colours_change_and_stay_in_range():
    photo, _ = shapes(0)
    rng = np.random.default_rng(0)
    changed = [random_colour(photo, SETTINGS, rng=rng) for _ in range(40)]
    assert all(c.dtype == np.uint8 and c.shape == photo.shape for c in changed)
    different = sum(not np.array_equal(c, photo) for c in changed)
    assert 30 <= different < 40  # each of the two changes is skipped a quarter of the time
    means = [c.mean() for c in changed]
    assert min(means) < photo.mean() - 15
    assert max(means) > photo.mean() + 15


VARIANTS = {
    "coco+lvis": {},
    "sbd": {
        "scale": (0.75, 1.25),
        "vertical_flip": 0.5,
        "quarter_turns": True,
        "shift": 0.03,
        "rotate": 3.0,
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_published_crop_keeps_photo_and_all_maps_aligned(variant):
    settings = AugmentationSettings(crop=(64, 96), **VARIANTS[variant])
    rng = np.random.default_rng(0)
    for seed in range(30):
        photo, labels = shapes(seed)
        # Six channels: more than most of OpenCV's functions take.
        maps = np.dstack([labels == 1, labels == 2, labels, labels, labels, labels]).astype("u1")
        crop, cut = published_crop(photo, maps, settings, rng=rng)
        assert crop.shape == (64, 96, 3)
        assert cut.shape == (64, 96, 6)
        assert crop.flags.c_contiguous
        seen = nearest_label(crop)
        assert not cut[seen == 255].any()
        for label in (1, 2):
            truth = cut[..., 2] == label
            assert np.array_equal(cut[..., label - 1] > 0, truth)
            if truth.sum() > 300:
                both = (truth & (seen == label)).sum()
                assert both / (truth | (seen == label)).sum() > 0.8


def test_the_published_crop_rescales_within_its_range_and_pads_in_the_middle():
    settings = AugmentationSettings(crop=(200, 200), horizontal_flip=0.0)
    photo = np.full((100, 100, 3), 200, np.uint8)
    rng = np.random.default_rng(0)
    sides = []
    for _ in range(200):
        crop, maps = published_crop(photo, np.ones((100, 100, 1), np.uint8), settings, rng=rng)
        rows = np.flatnonzero(maps.any(axis=(1, 2)))
        sides.append(len(rows))
        assert abs(rows[0] - (199 - rows[-1])) <= 1
        assert (crop[maps[..., 0] == 0] == 0).all()
    assert 75 <= min(sides) < 78
    assert 137 < max(sides) <= 140
    assert np.mean(sides) == pytest.approx(107.5, abs=5)


def test_windows_are_uniform_over_a_larger_photo():
    settings = AugmentationSettings(crop=(32, 32), scale=(1.0, 1.0), horizontal_flip=0.0)
    photo = np.zeros((52, 32, 3), np.uint8)
    photo[..., 0] = np.arange(52)[:, None]
    rng = np.random.default_rng(0)
    tops = [
        int(published_crop(photo, photo[..., :1], settings, rng=rng)[0][0, 0, 0])
        for _ in range(2000)
    ]
    counts = np.bincount(tops, minlength=21)
    assert len(counts) == 21
    # 95 expected in each; five standard deviations.
    assert counts.min() > 48
    assert counts.max() < 144
