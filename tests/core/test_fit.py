"""How crops are shown to graphs of fixed size."""

import numpy as np
import pytest

from ritm_edge.clicks import Click
from ritm_edge.errors import UsageError
from ritm_edge.io_spec import CLICKS, IMAGE, IOSpec
from ritm_edge.session.fit import FITS, Fit, fitted_view, with_context
from ritm_edge.session.view import View
from ritm_edge.session.zoom_in import Roi, ZoomIn, whole_image

from .blob_runtime import BlobRuntime, photo, started

SQUARE = IOSpec(100, 100, max_clicks=5)


def test_context_grows_the_shorter_side_and_stays_in_the_photo() -> None:
    photo_size = (300, 500)
    middle = Roi(100, 149, 200, 399)  # 50 × 200
    assert with_context(middle, photo_size, (400, 400)) == Roi(25, 224, 200, 399)
    at_the_top = Roi(0, 49, 200, 399)
    assert with_context(at_the_top, photo_size, (400, 400)) == Roi(0, 199, 200, 399)
    at_the_right = Roi(100, 299, 480, 499)
    assert with_context(at_the_right, photo_size, (400, 400)) == Roi(100, 299, 300, 499)
    wide = Roi(140, 149, 0, 499)  # the photo has too few rows for a square
    assert with_context(wide, photo_size, (400, 400)) == Roi(0, 299, 0, 499)
    assert with_context(middle, photo_size, (100, 400)) == middle


@pytest.mark.parametrize("fit", ["context", "letterbox"])
def test_shape_and_scale_are_kept_in_the_middle_of_black(fit: Fit) -> None:
    image = np.full((60, 120, 3), 200, np.uint8)
    view = fitted_view(whole_image((60, 120)), (60, 120), (400, 400), fit)
    assert view.content == Roi(100, 299, 0, 399)
    seen = view.cut(image)
    assert seen.shape == (400, 400, 3)
    assert np.allclose(seen[100:300], 200)
    assert seen[:100].max() == seen[300:].max() == 0
    assert view.click(Click(30, 60)) == Click(100 + 200 * 30 / 60, 400 * 60 / 120)
    assert view.uncover(seen[:, :, 0]).shape == (200, 400)


def test_context_shows_an_object_as_large_as_the_zoom_in_does() -> None:
    crop = Roi(100, 299, 200, 239)  # 200 × 40
    view = fitted_view(crop, (600, 600), (400, 400), "context")
    assert view.roi == Roi(100, 299, 120, 319)
    assert view.content == whole_image((400, 400))
    assert ZoomIn().crop_size(crop) == (400, 80)
    moved = view.click(Click(100, 240)).row - view.click(Click(100, 200)).row
    across = view.click(Click(100, 240)).column - view.click(Click(100, 200)).column
    assert (moved, across) == (0, 80)


def test_stretch_fills_the_graph() -> None:
    assert fitted_view(Roi(0, 9, 0, 99), (200, 200), (64, 64), "stretch") == View(
        Roi(0, 9, 0, 99), (64, 64)
    )


@pytest.mark.parametrize("size", [(1, 700), (700, 1), (1, 1), (33, 35)])
@pytest.mark.parametrize("fit", FITS)
def test_any_photo_fits_and_comes_back(size: tuple[int, int], fit: Fit) -> None:
    view = fitted_view(whole_image(size), size, (96, 64), fit)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    seen = view.cut(rows + columns)
    assert seen.shape == (96, 64)
    assert min(view.uncover(seen).shape) >= 1
    middle = view.click(Click(size[0] / 2, size[1] / 2))
    assert 0 <= middle.row <= 96
    assert 0 <= middle.column <= 64


@pytest.mark.parametrize("protocol", ["app", "published"])
def test_a_session_sees_undistorted_disks_through_a_fixed_graph(protocol: str) -> None:
    """300 × 500 pixels in 100 × 100: 5 photo pixels are 1, 40 rows of black on either side."""
    runtime = BlobRuntime(SQUARE, radius=8)
    session = started(runtime, protocol=protocol, flip=False, zoom_in=None)
    mask = session.click(150, 250)
    (call,) = runtime.calls
    assert np.allclose(call[CLICKS][0, 0], (20 + 60 * 150 / 300, 50, 0))
    assert call[IMAGE][0, :, :20].max() == call[IMAGE][0, :, 80:].max() == 0
    assert call[IMAGE][0, :, 20:80].min(axis=0).max() > 0
    for distance, inside in ((35, True), (47, False)):
        assert mask[150 + distance, 250] == mask[150, 250 + distance] == inside


@pytest.mark.parametrize("protocol", ["app", "published"])
def test_zoomed_crops_keep_their_place(protocol: str) -> None:
    runtime = BlobRuntime(SQUARE, radius=8)
    session = started(runtime, protocol=protocol, flip=False)
    session.click(150, 250)
    session.click(150, 252)
    top, bottom, left, right = session.zoom_roi
    assert (bottom - top, right - left) == (200, 200)
    row, column = runtime.calls[1][CLICKS][0, 1, :2]
    assert (row, column) == pytest.approx((100 * (150 - top) / 201, 100 * (252 - left) / 201))
    shown = runtime.calls[1][IMAGE][0].transpose(1, 2, 0)
    crop = photo()[top : bottom + 1, left : right + 1]
    assert np.allclose(shown[0, 0], crop[0, 0], atol=0.01)
    assert np.allclose(shown[-1, -1], crop[-1, -1], atol=0.01)


def test_an_unknown_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown fit 'crop': choose context, letterbox, stretch"):
        started(fit="crop")
