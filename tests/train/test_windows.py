"""Windows as matrices: what they show, and that what lies outside is known."""

from dataclasses import replace

import numpy as np
import pytest

from ritm_edge.train.config import AugmentationSettings
from ritm_edge.train.windows import SMALLEST_SCALE, cut_maps, cut_window, draw_window

PLAIN = AugmentationSettings(
    kind="windows", crop=(64, 96), horizontal_flip=0.0, window_shares=(0, 0, 1)
)
BOX = (30, 40, 70, 120)
PHOTO = (100, 180)


def matrices(settings, count=200, box=BOX, photo=PHOTO):
    rng = np.random.default_rng(0)
    return [draw_window(box, photo, settings, rng=rng) for _ in range(count)]


def corners(matrix, crop=(64, 96)):
    """(row, column) in the photo of the crop's outer corners, [4, 2]."""
    edges = [(x - 0.5, y - 0.5, 1) for x in (0, crop[1]) for y in (0, crop[0])]
    return (matrix @ np.array(edges, float).T).T[:, ::-1] + 0.5


def test_the_identity_cuts_the_photo_itself():
    photo = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    maps = np.random.default_rng(1).integers(0, 2, (64, 96, 6), dtype=np.uint8)
    cut = cut_window(photo, maps, np.eye(3)[:2], (64, 96))
    assert np.array_equal(cut[0], photo)
    assert np.array_equal(cut[1], maps)


def test_outside_of_the_photo_there_is_black_that_is_ignored():
    photo = np.full((20, 20, 3), 200, np.uint8)
    maps = np.dstack((np.ones((20, 20), np.uint8), np.zeros((20, 20), np.uint8)))
    shifted = np.array([[1.0, 0, -10], [0, 1, 0]])
    colours, planes = cut_window(photo, maps, shifted, (20, 40))
    inside = np.zeros((20, 40), bool)
    inside[:, 10:30] = True
    assert np.array_equal(planes[..., 1] == 0, inside)
    assert np.array_equal(planes[..., 0] == 1, inside)
    assert (colours[inside] == 200).all()
    assert not colours[~inside].any()


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 9])
def test_layers_are_cut_as_each_alone(channels: int):
    """OpenCV gives borders to four channels at most."""
    rng = np.random.default_rng(channels)
    maps = rng.integers(0, 255, (37, 53, channels), dtype=np.uint8)
    matrix = np.array([[0.8, -0.3, -9.0], [0.4, 1.1, 5.0]])
    cut = cut_maps(maps, matrix, (60, 48), outside=1)
    assert (cut[..., -1] == 1).any()
    for channel in range(channels):
        alone = cut_maps(maps[..., channel:][..., :1], matrix, (60, 48), outside=0)
        last = channel == channels - 1
        beyond = cut_maps(np.zeros((37, 53, 1), np.uint8), matrix, (60, 48), outside=int(last))
        assert np.array_equal(cut[..., channel], np.where(beyond[..., 0], 1, alone[..., 0]))


def test_windows_around_an_object_contain_it():
    for matrix in matrices(PLAIN):
        found = corners(matrix)
        # A stretch of up to 12 % may cut a little of the object off.
        assert found[:, 0].min() <= BOX[0] + 8
        assert found[:, 0].max() >= BOX[2] - 8
        assert found[:, 1].min() <= BOX[1] + 14
        assert found[:, 1].max() >= BOX[3] - 14


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_windows_stay_inside_where_they_fit(kind):
    shares = tuple(float(i == kind) for i in range(3))
    for matrix in matrices(replace(PLAIN, window_shares=shares)):
        found = corners(matrix)
        for axis, limit in enumerate(PHOTO):
            low, high = found[:, axis].min(), found[:, axis].max()
            if high - low <= limit * 0.85:  # the stretch comes after the window was placed
                assert low >= -0.07 * limit
                assert high <= 1.07 * limit
            else:  # it covers most of the photo
                assert min(high, limit) - max(low, 0) >= 0.5 * limit


def test_whole_photos_are_larger_than_parts():
    def areas(shares):
        settings = replace(PLAIN, window_shares=shares)
        return np.array([abs(np.linalg.det(m[:, :2])) for m in matrices(settings)])

    assert areas((1, 0, 0)).min() > np.median(areas((0, 1, 0)))


def test_small_objects_are_not_enlarged_without_bounds():
    for matrix in matrices(PLAIN, box=(10, 10, 13, 13)):
        assert abs(np.linalg.det(matrix[:, :2])) >= (0.99 * SMALLEST_SCALE) ** 2


def test_flips_and_turns_come_as_often_as_set():
    settings = replace(
        PLAIN, horizontal_flip=0.5, vertical_flip=0.25, rotate=10.0, warp_probability=0.3
    )
    found = np.array(matrices(settings, 4000))
    assert np.mean(found[:, 0, 0] < 0) == pytest.approx(0.5, abs=0.04)
    assert np.mean(found[:, 1, 1] < 0) == pytest.approx(0.25, abs=0.04)
    assert np.mean(found[:, 0, 1] != 0) == pytest.approx(0.3, abs=0.04)
