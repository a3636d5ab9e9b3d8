"""Crops keep photo and labels together; colours keep their range."""

import numpy as np
import pytest

from ritm_edge.train.augment import random_colour, random_crop, random_flip

from .photos import COLOURS, shapes


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
        crop, crop_labels = random_crop(
            photo, labels, size=size, around=box if around_object else None, rng=rng
        )
        crop, crop_labels = random_flip(crop, crop_labels, rng=rng)
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
        crop, crop_labels = random_crop(
            photo, labels, size=(32, 32), around=(60, 60, 200, 200), rng=rng
        )
        seen, truth = crop[..., 0].astype(float), crop_labels.astype(float)
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
        crop, crop_labels = random_crop(
            photo, labels, size=(64, 64), around=(0, 0, 40, 40), rng=rng
        )
        inside = crop_labels == 7
        assert set(np.unique(crop_labels)) <= {0, 7}
        assert (crop[inside] == 200).all()
        assert (crop[~inside] == 0).all()
        padded += not inside.all()
    assert padded > 20


def test_a_large_photo_needs_no_larger_buffers():
    import tracemalloc

    photo = np.zeros((3000, 2000, 3), np.uint8)
    labels = np.ones((3000, 2000), np.uint8)
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
    changed = [random_colour(photo, rng=rng) for _ in range(40)]
    assert all(c.dtype == np.uint8 and c.shape == photo.shape for c in changed)
    different = sum(not np.array_equal(c, photo) for c in changed)
    assert 30 <= different < 40  # each of the two changes is skipped a quarter of the time
    means = [c.mean() for c in changed]
    assert min(means) < photo.mean() - 15
    assert max(means) > photo.mean() + 15
