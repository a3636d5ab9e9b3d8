"""Fixed-size graphs, external masks, and where the app protocol departs from the published one."""

from typing import Any

import numpy as np
import pytest

from ritm_edge.errors import ShapeError, UsageError
from ritm_edge.io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.session.zoom_in import ZoomIn

from .blob_runtime import BlobRuntime, net_sizes, photo, snapshot, started

FIXED = IOSpec(96, 64, max_clicks=5)


def rectangle(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((300, 500), bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("zoom_in", [ZoomIn(), None, ZoomIn(400, skip_clicks=-1)])
@pytest.mark.parametrize("protocol", ["app", "published"])
def test_fixed_size_graphs_can_get_everything_stretched(
    protocol: str, zoom_in: ZoomIn | None
) -> None:
    runtime = BlobRuntime(FIXED, radius=8)
    session = started(runtime, protocol=protocol, zoom_in=zoom_in, flip=False, fit="stretch")
    mask = session.click(150, 125)
    assert net_sizes(runtime) == [(96, 64)]
    assert np.allclose(runtime.calls[0][CLICKS][0, 0], (150 * 96 / 300, 125 * 64 / 500, 0))
    # A disk of 8 network pixels is an ellipse of 25 × 62.5 image pixels.
    assert mask.shape == (300, 500)
    assert mask[150 + 22, 125]
    assert mask[150, 125 + 55]
    assert not mask[150 + 32, 125]
    assert not mask[150, 125 + 75]
    session.click(151, 126)
    assert net_sizes(runtime)[1] == (96, 64)
    if zoom_in is None:
        assert session.zoom_roi is None
    else:
        top, bottom, left, right = session.zoom_roi
        row, column = runtime.calls[1][CLICKS][0, 0, :2]
        assert row == pytest.approx(96 * (150 - top) / (bottom - top + 1))
        assert column == pytest.approx(64 * (125 - left) / (right - left + 1))


def test_large_photos_are_reduced_and_the_mask_comes_back_in_full_size() -> None:
    runtime = BlobRuntime()
    session = started(runtime, size=(1200, 2400), flip=False)
    mask = session.click(600, 1200)
    assert net_sizes(runtime) == [(400, 800)]
    assert mask.shape == (1200, 2400)
    assert mask[600 + 110, 1200]
    assert not mask[600 + 130, 1200]
    limited = BlobRuntime()
    started(limited, size=(1200, 2400), flip=False, max_side=300).click(1, 1)
    assert net_sizes(limited) == [(150, 300)]


def test_graphs_without_prev_mask_never_get_one() -> None:
    runtime = BlobRuntime(IOSpec(max_clicks=None, prev_mask=False))
    session = started(runtime)
    session.click(100, 200)
    session.click(110, 210)
    assert all(PREV_MASK not in call for call in runtime.calls)
    with pytest.raises(UsageError, match="no previous-mask input"):
        session.set_mask(np.zeros((300, 500), bool))


def test_an_external_mask_is_shown_zoomed_to_and_given_once() -> None:
    runtime = BlobRuntime(radius=10)
    session = started(runtime, flip=False)
    session.click(5, 5)
    runtime.calls.clear()
    given = rectangle(80, 120, 220, 280)
    session.set_mask(given)
    assert np.array_equal(session.mask, given)
    assert session.clicks == ()
    after_mask = snapshot(session)
    mask = session.click(100, 290)
    # Rows 80…119 and columns 220…290 (the click), enlarged to at least 200.
    assert session.zoom_roi == (0, 200, 155, 355)
    assert runtime.calls[0][PREV_MASK].max() == 1
    assert mask[100, 250]
    assert mask[100, 290]
    session.click(60, 250, positive=False)
    assert 0.9 <= runtime.calls[1][PREV_MASK].max() < 1  # its own prediction, not the given mask
    session.undo()
    session.undo()
    assert snapshot(session) == after_mask
    with pytest.raises(UsageError, match="no click to undo"):
        session.undo()
    session.reset()
    assert not session.mask.any()


def test_a_given_mask_is_copied_and_may_be_probabilities() -> None:
    session = started()
    given = np.full((300, 500), 0.6)
    session.set_mask(given)
    given[:] = 0
    assert session.mask.all()
    assert session.probabilities.dtype == np.float32
    assert session.probabilities[0, 0] == np.float32(0.6)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.zeros((300, 499), bool), ShapeError, r"\[300, 499\]: pass bool or float \[300, 500\]"),
        (np.zeros((300, 500), np.uint8), ShapeError, "the mask is uint8"),
        (np.full((300, 500), 1.5), UsageError, "outside 0…1"),
        (np.full((300, 500), np.nan), UsageError, "outside 0…1"),
    ],
)
def test_wrong_masks_are_refused(mask: np.ndarray, error: Any, message: str) -> None:
    session = started()
    session.click(100, 200)
    before = snapshot(session)
    with pytest.raises(error, match=message):
        session.set_mask(mask)
    assert snapshot(session) == before


def wiped_and_started_again(protocol: Any) -> tuple[InteractiveSession, BlobRuntime]:
    """An object selected, removed by a negative click, and another one clicked."""
    runtime = BlobRuntime(radius=60)
    session = started(runtime, protocol=protocol, flip=False)
    session.click(100, 200)
    runtime.radius = 1000
    session.click(100, 201, positive=False)
    assert not session.mask.any()
    runtime.radius = 15
    session.click(250, 450)
    return session, runtime


def test_a_vanished_mask_forgets_the_crop() -> None:
    session, runtime = wiped_and_started_again("app")
    assert net_sizes(runtime)[2] == (300, 500)
    assert session.zoom_roi is None
    assert session.mask[250, 450]


def test_the_published_protocol_squeezes_into_the_old_crop() -> None:
    session, runtime = wiped_and_started_again("published")
    assert net_sizes(runtime)[2] == (300, 500)
    top, bottom, left, right = session.zoom_roi
    assert not session.mask[250, 450]
    squeezed_row = top + round(250 / 299 * (bottom - top))
    squeezed_column = left + round(450 / 499 * (right - left))
    assert session.mask[squeezed_row, squeezed_column]


@pytest.mark.parametrize(("protocol", "kept"), [("app", True), ("published", False)])
def test_clicks_on_the_photo_border(protocol: str, kept: bool) -> None:
    """Published: such a click forces a new crop every time; an app keeps a fitting one."""
    runtime = BlobRuntime(radius=30)
    session = started(runtime, protocol=protocol, flip=False)
    session.click(299, 200)
    session.click(290, 215)
    first = session.zoom_roi
    runtime.radius = 60
    session.click(280, 190)
    session.click(285, 195)
    assert first[1] == 299
    assert (session.zoom_roi == first) == kept


def test_the_crop_holds_all_that_is_visible() -> None:
    """At a low threshold the app's crop follows what the user sees, not the published 0.5."""
    session = started(threshold=0.3)
    faint = np.full((300, 500), 0.0)
    faint[20:280, 30:470] = 0.4
    faint[140:150, 240:250] = 0.9
    session.set_mask(faint)
    mask = session.click(145, 245)
    top, bottom, left, right = session.zoom_roi
    assert (top, left) <= (20, 30)
    assert (bottom, right) >= (279, 469)
    assert mask[30, 40]


def test_both_protocols_agree_on_ordinary_sessions() -> None:
    sessions = [started(BlobRuntime(radius=25), protocol=p) for p in ("app", "published")]
    for row, column, positive in [(100, 200, True), (120, 230, True), (90, 180, False)]:
        for session in sessions:
            session.click(row, column, positive)
    app, published = sessions
    assert snapshot(app)[:2] == snapshot(published)[:2]
    assert np.array_equal(app.mask, published.mask)
    assert np.abs(app.probabilities - published.probabilities).max() < 1e-5


def test_a_click_limit_hides_later_clicks_from_the_network() -> None:
    runtime = BlobRuntime()
    session = started(runtime, click_limit=1, flip=False, zoom_in=None)
    session.click(100, 200)
    session.click(50, 60)
    assert np.array_equal(runtime.calls[1][CLICKS][0], [[100, 200, 0], [-1, -1, -1]])
    assert len(session.clicks) == 2


def test_the_network_gets_rgb_in_0_to_255() -> None:
    runtime = BlobRuntime()
    session = InteractiveSession(runtime, flip=False)
    image = photo(40, 50)
    image[..., 0], image[..., 1], image[..., 2] = 255, 128, 7
    session.set_image(image)
    session.click(3, 3)
    got = runtime.calls[0][IMAGE]
    assert got.dtype == np.float32
    assert got[0, :, 5, 5].tolist() == [255, 128, 7]
