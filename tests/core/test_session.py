"""The session as an app uses it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from ritm_edge.clicks import Click
from ritm_edge.errors import ClickError, ShapeError, UsageError
from ritm_edge.io_spec import CLICKS, IMAGE, MASK, PREV_MASK, IOSpec
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.session.zoom_in import ZoomIn

from ..models import tiny_model
from .blob_runtime import BlobRuntime, net_sizes, photo, snapshot, started


def test_first_click_sees_the_whole_photo_then_the_object() -> None:
    runtime = BlobRuntime(radius=20)
    session = started(runtime, flip=False)
    mask = session.click(100, 200)
    assert mask.dtype == bool
    assert mask.shape == (300, 500)
    assert mask[100, 200]
    assert not mask[100, 260]
    assert net_sizes(runtime) == [(300, 500)]
    assert np.array_equal(runtime.calls[0][IMAGE][0].transpose(1, 2, 0), photo())
    assert runtime.calls[0][PREV_MASK].max() == 0
    session.click(104, 204)
    # 41 pixels around the click enlarged to the smallest crop of 200; both ends belong to it.
    assert session.zoom_roi == (0, 200, 100, 300)
    assert net_sizes(runtime)[1] == (400, 400)
    scale = 400 / 201
    expected = np.array([(100, 200 - 100), (104, 204 - 100)]) * scale
    assert np.allclose(runtime.calls[1][CLICKS][0, :2, :2], expected)
    assert runtime.calls[1][PREV_MASK].max() > 0.9
    # Nothing outside the crop.
    outside = np.ones((300, 500), bool)
    outside[0:201, 100:301] = False
    assert session.probabilities[outside].max() == 0


def test_flip_runs_the_mirror_and_averages_logits() -> None:
    class Slope(BlobRuntime):
        """Logits rise from left to right: their mirror average is 0 everywhere."""

        def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
            self.calls.append(inputs)
            logits = np.linspace(-9, 9, inputs[IMAGE].shape[3], dtype=np.float64)
            mask = np.broadcast_to(1 / (1 + np.exp(-logits)), inputs[IMAGE][:, :1].shape)
            return {MASK: mask.astype(np.float32)}

    runtime = Slope()
    session = started(runtime, size=(40, 60))
    session.click(10, 7)
    session.click(20, 50, positive=False)
    assert np.abs(session.probabilities - 0.5).max() < 1e-4
    straight, mirror = runtime.calls[-2:]
    assert np.array_equal(mirror[IMAGE], straight[IMAGE][..., ::-1])
    assert np.array_equal(mirror[PREV_MASK], straight[PREV_MASK][..., ::-1])
    width = straight[IMAGE].shape[3]
    assert np.allclose(mirror[CLICKS][..., 1], width - 1 - straight[CLICKS][..., 1])
    assert np.array_equal(mirror[CLICKS][..., 0], straight[CLICKS][..., 0])


def test_empty_slots_are_not_mirrored() -> None:
    runtime = BlobRuntime(IOSpec(max_clicks=3))
    session = started(runtime)
    session.click(10, 7)
    for call in runtime.calls:
        assert (call[CLICKS][0, 1:] == -1).all()


def test_undo_restores_every_former_state_exactly() -> None:
    session = started()
    before = [snapshot(session)]
    for row, column, positive in [(100, 200, True), (120, 260, True), (90, 180, False)]:
        session.click(row, column, positive)
        before.append(snapshot(session))
    assert len(set(before)) == 4
    before.pop()
    while before:
        mask = session.undo()
        assert snapshot(session) == before.pop()
        assert np.array_equal(mask, session.mask)
    with pytest.raises(UsageError, match="no click to undo"):
        session.undo()


def test_clicks_after_undo_continue_as_if_it_had_never_been() -> None:
    straight, undone = started(), started()
    for session in (straight, undone):
        session.click(100, 200)
    undone.click(250, 450)
    undone.undo()
    for session in (straight, undone):
        session.click(110, 230)
    assert snapshot(straight) == snapshot(undone)


def test_reset_keeps_the_photo() -> None:
    session = started()
    fresh = snapshot(session)
    session.click(100, 200)
    session.reset()
    assert snapshot(session) == fresh
    with pytest.raises(UsageError):
        session.undo()
    assert session.click(100, 200)[100, 200]


def test_a_new_photo_forgets_the_old_one() -> None:
    session = started()
    session.click(100, 200)
    session.set_image(photo(50, 60))
    assert session.clicks == ()
    assert session.probabilities.shape == (50, 60)
    assert not session.mask.any()


def test_the_photo_is_copied() -> None:
    image = photo()
    runtime = BlobRuntime()
    session = InteractiveSession(runtime, flip=False)
    session.set_image(image)
    image[:] = 0
    session.click(5, 5)
    assert runtime.calls[0][IMAGE].max() == 255


def test_probabilities_cannot_be_written_but_masks_can() -> None:
    session = started()
    mask = session.click(100, 200)
    with pytest.raises(ValueError, match="read-only"):
        session.probabilities[0, 0] = 1
    mask[:] = False
    assert session.mask.any()


@pytest.mark.parametrize(
    ("row", "column"),
    [(-1, 5), (5, -0.5), (300, 5), (5, 500), (float("nan"), 5), (5, float("inf")), ("x", 5)],
)
def test_clicks_outside_are_refused_and_change_nothing(row: Any, column: Any) -> None:
    session = started()
    session.click(100, 200)
    before = snapshot(session)
    with pytest.raises(
        ClickError, match=r"click 2 at row .* outside the image of 300 rows and 500"
    ):
        session.click(row, column)
    assert snapshot(session) == before


def test_border_clicks_are_inside() -> None:
    session = started()
    for row, column in [(0, 0), (299, 499), (299.9, 0), (0, 499.9)]:
        session.click(row, column)
    assert len(session.clicks) == 4


@pytest.mark.parametrize("protocol", ["app", "published"])
def test_more_clicks_than_slots_change_nothing(protocol: str) -> None:
    session = started(BlobRuntime(IOSpec(max_clicks=2)), protocol=protocol)
    session.click(100, 200)
    session.click(110, 210)
    session.click(10, 20, positive=False)
    before = snapshot(session)
    with pytest.raises(ClickError, match="3 clicks of one sign, but the graph has 2 slots"):
        session.click(120, 220)
    assert snapshot(session) == before
    session.click(20, 30, positive=False)


def test_a_failing_runtime_changes_nothing() -> None:
    class Failing(BlobRuntime):
        def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
            if len(self.calls) == 3:
                raise RuntimeError("out of memory")
            return super().run(inputs)

    session = started(Failing())
    session.click(100, 200)
    before = snapshot(session)
    with pytest.raises(RuntimeError, match="out of memory"):
        session.click(110, 210)
    assert snapshot(session) == before


@pytest.mark.parametrize(
    "action",
    [
        lambda s: s.click(0, 0),
        lambda s: s.mask,
        lambda s: s.probabilities,
        lambda s: s.set_mask(np.zeros((2, 2), bool)),
    ],
)
def test_without_a_photo_there_is_one_sentence(action: Any) -> None:
    with pytest.raises(UsageError, match="call set_image first"):
        action(InteractiveSession(BlobRuntime()))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 6), np.uint8),
        np.zeros((5, 6, 4), np.uint8),
        np.zeros((5, 6, 3), np.float32),
        np.zeros((0, 6, 3), np.uint8),
    ],
)
def test_wrong_photos_are_refused(image: np.ndarray) -> None:
    session = started()
    with pytest.raises(ShapeError, match="pass uint8 RGB"):
        session.set_image(image)
    assert session.mask.shape == (300, 500)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "demo"}, "unknown session protocol 'demo'"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"max_side": 0}, "max_side is 0"),
        ({"click_limit": 0}, "click_limit is 0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        InteractiveSession(BlobRuntime(), **options)


def test_clicks_are_reported_in_photo_pixels() -> None:
    session = started()
    session.click(np.int64(7), np.float32(9.5))
    session.click(8, 11, positive=False)
    assert session.clicks == (Click(7, 9.5, True, 0), Click(8, 11, False, 1))


def test_session_without_zoom_always_sees_the_whole_photo() -> None:
    runtime = BlobRuntime()
    session = started(runtime, zoom_in=None, flip=False)
    session.click(100, 200)
    session.click(104, 204)
    assert net_sizes(runtime) == [(300, 500)] * 2
    assert session.zoom_roi is None


def test_zoom_settings_reach_the_network() -> None:
    runtime = BlobRuntime()
    session = started(runtime, zoom_in=ZoomIn((96, 64), min_crop=10), flip=False)
    session.click(100, 200)
    session.click(104, 204)
    assert net_sizes(runtime)[1] == (96, 64)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 2), (31, 33)])
@pytest.mark.parametrize("protocol", ["app", "published"])
def test_photos_of_extreme_shape_work_with_a_network(size: tuple[int, int], protocol: str) -> None:
    import torch

    model = tiny_model()

    class Network(BlobRuntime):
        def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
            self.calls.append(inputs)
            with torch.inference_mode():
                logits = model(
                    torch.from_numpy(inputs[IMAGE]) / 255,
                    torch.from_numpy(inputs[CLICKS]),
                    torch.from_numpy(inputs[PREV_MASK]),
                ).mask_logits
            return {MASK: torch.sigmoid(logits).numpy()}

    runtime = Network()
    session = started(runtime, size=size, protocol=protocol)
    for _ in range(2):
        mask = session.click(size[0] - 1, size[1] - 1)
        assert mask.shape == size
        assert np.isfinite(session.probabilities).all()
    if protocol == "app":
        assert all(32 <= side <= 800 for net in net_sizes(runtime) for side in net)
