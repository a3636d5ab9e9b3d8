"""Masks in and out, and the picture of photo, mask and clicks."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from ritm_edge.clicks import Click
from ritm_edge.errors import ShapeError, UsageError
from ritm_edge.imaging import images
from ritm_edge.imaging.images import read_mask, read_photo
from ritm_edge.imaging.overlay import NEGATIVE, POSITIVE, overlay
from ritm_edge.samples import sample_photo

from .image_files import CORNERS, write_image, write_mask


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_masks_of_any_range(tmp_path, top):
    values = np.array([[0, top, 0], [top, top, 0]])
    kind = np.uint8 if top < 256 else np.uint16
    Image.fromarray(values.astype(kind)).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png", (2, 3))
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask, values / top)


def test_soft_and_coloured_and_transparent_masks(tmp_path):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    Image.fromarray(ramp).save(tmp_path / "soft.png")
    np.testing.assert_allclose(read_mask(tmp_path / "soft.png", (3, 256)), ramp / 255)
    Image.fromarray(np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)).save(tmp_path / "red.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "red.png", (1, 2)), [[0, 1]])
    clear = np.array([[[255, 255, 255, 0], [255, 255, 255, 255]]], np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "clear.png", (1, 2)), [[0, 1]])


def test_mask_of_another_size_names_both(tmp_path):
    write_mask(tmp_path / "mask.png", np.ones((3, 4), bool))
    with pytest.raises(ShapeError, match=r"3x4.*5x6"):
        read_mask(tmp_path / "mask.png", (5, 6))


@pytest.mark.parametrize("suffix", images.MASK_SUFFIXES)
def test_masks_survive_writing(tmp_path, suffix):
    mask = np.random.default_rng(0).random((17, 23)) > 0.5
    path = tmp_path / f"mask{suffix}"
    write_mask(path, mask)
    assert set(np.unique(read_photo(path))) == {0, 255}
    np.testing.assert_array_equal(read_mask(path, mask.shape), mask)
    if suffix == ".png":
        assert Image.open(path).mode == "L"


def test_unusable_outputs(tmp_path):
    mask = np.zeros((4, 4), bool)
    with pytest.raises(UsageError, match="jpg"):
        write_mask(tmp_path / "mask.jpg", mask)
    with pytest.raises(UsageError, match="xyz"):
        write_image(tmp_path / "photo.xyz", CORNERS)
    with pytest.raises(ShapeError):
        write_mask(tmp_path / "mask.png", CORNERS)
    with pytest.raises(ShapeError):
        write_image(tmp_path / "photo.png", CORNERS.astype(np.float32))
    assert list(tmp_path.iterdir()) == []


def test_images_survive_writing(tmp_path):
    write_image(tmp_path / "photo.png", CORNERS)
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png"), CORNERS)
    write_image(tmp_path / "photo.JPG", CORNERS)
    np.testing.assert_allclose(read_photo(tmp_path / "photo.JPG")[5, 5], (250, 0, 0), atol=4)


def test_overlay_shows_object_and_clicks():
    photo = np.full((200, 300, 3), 100, np.uint8)
    mask = np.zeros((200, 300), bool)
    mask[40:160, 60:240] = True
    clicks = [Click(100, 150), Click(20.25, 20.75, positive=False, order=1)]

    picture = overlay(photo, mask, clicks)

    assert picture.shape == photo.shape
    assert (photo == 100).all()
    assert picture[100, 150].tolist() == list(POSITIVE)
    assert picture[20, 21].tolist() == list(NEGATIVE)
    background, inside = picture[190, 150].astype(int), picture[60, 100].astype(int)
    assert background.max() < 100
    assert inside[2] - inside[0] > 40  # tinted blue
    assert abs(picture[40, 150].astype(int) - inside).max() > 20  # contour


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2)])
def test_overlay_of_tiny_pictures(size):
    picture = overlay(np.zeros((*size, 3), np.uint8), np.ones(size, bool), [Click(0, 0)])
    assert picture.shape == (*size, 3)


def test_overlay_refuses_other_sizes():
    with pytest.raises(ShapeError, match=r"\[4, 4\]"):
        overlay(np.zeros((5, 5, 3), np.uint8), np.zeros((4, 4), bool))


def test_the_sample_photo_is_the_one_whose_source_is_stated():
    photo = read_photo(sample_photo())
    assert photo.shape == (512, 512, 3)
    assert photo.std() > 30
    source = (sample_photo().parent / "SOURCE.md").read_text()
    assert hashlib.sha256(sample_photo().read_bytes()).hexdigest() in source
    assert "public domain" in source
