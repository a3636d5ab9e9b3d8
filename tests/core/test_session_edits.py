"""Whatever was undone, moved or removed, a session is that of the clicks that are left."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ritm_edge.errors import ClickError, InputFileError, ShapeError, UsageError
from ritm_edge.io_spec import IOSpec
from ritm_edge.session import InteractiveSession, ObjectsSession
from ritm_edge.session.log import read_log
from ritm_edge.session.zoom_in import ZoomIn

from .blob_runtime import BlobRuntime, photo, snapshot, started
from .test_session_masks import rectangle

FIXED = IOSpec(96, 64, max_clicks=24)


def replay(session: Any, **options: Any) -> Any:
    """A fresh session that makes the clicks of `session`, and nothing else."""
    fresh = started(BlobRuntime(FIXED, radius=9), **options)
    if session._state.given is not None:
        fresh.set_mask(session._state.given)
    for click in session.clicks:
        fresh.click(click.row, click.column, click.positive)
    return fresh


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("protocol", ["app", "published"])
def test_any_edits_leave_the_session_of_the_clicks_that_are_left(protocol: str, seed: int) -> None:
    options: dict[str, Any] = {
        "protocol": protocol,
        "flip": bool(seed % 2),
        "fit": ("context", "stretch", "letterbox")[seed % 3],
    }
    rng = np.random.default_rng(seed)
    session = started(BlobRuntime(FIXED, radius=9), **options)
    if seed % 4 == 3:
        session.set_mask(rectangle(80, 160, 220, 380))
    versions, shown = [snapshot(session)], 0
    for _ in range(25):
        count = len(session.clicks)
        where = rng.uniform(0, 299.9), rng.uniform(0, 499.9)
        action = str(rng.choice(["click", "click", "undo", "redo", "remove", "move"]))
        if action == "undo" and shown:
            session.undo()
            shown -= 1
        elif action == "redo" and shown < len(versions) - 1:
            session.redo()
            shown += 1
        elif action == "click" or (action in ("remove", "move") and count):
            if action == "click":
                session.advance(*where, positive=bool(rng.random() < 0.6))
            elif action == "remove":
                session.remove_click(int(rng.integers(count)))
            else:
                session.move_click(int(rng.integers(count)), *where)
            shown += 1
            versions[shown:] = [snapshot(session)]
        assert snapshot(session) == versions[shown]
        assert [click.order for click in session.clicks] == list(
            range(session._order_after_mask if session._state.given is not None else 0, 99)
        )[: len(session.clicks)]
    assert len(session.clicks) > 1
    assert snapshot(session) == snapshot(replay(session, **options))


@pytest.mark.parametrize(
    ("edit", "kind", "message"),
    [
        (lambda s: s.remove_click(2), UsageError, "there is no click 2: .* list of 2 clicks"),
        (lambda s: s.remove_click(-1), UsageError, "there is no click -1"),
        (lambda s: s.remove_click("0"), UsageError, "there is no click 0"),
        (lambda s: s.move_click(5, 1, 1), UsageError, "there is no click 5"),
        (lambda s: s.move_click(1, 300, 1), ClickError, "click 2 at row 300, column 1 is outside"),
        (lambda s: s.advance(1, 500), ClickError, "click 3 at row 1, column 500 is outside"),
        (lambda s: s.redo(), UsageError, "nothing to redo"),
        (lambda s: s.mask_at(3, [1]), ShapeError, "no lists of numbers"),
        (lambda s: s.mask_at([1, float("nan")], [1]), ShapeError, "no lists of numbers"),
        (lambda s: s.mask_at([1], ["x"]), ShapeError, "no lists of numbers"),
    ],
)
def test_edits_that_cannot_be_made_change_nothing(edit: Any, kind: Any, message: str) -> None:
    session = started()
    session.click(100, 200)
    session.click(110, 230)
    before = snapshot(session)
    with pytest.raises(kind, match=message):
        edit(session)
    assert snapshot(session) == before
    session.undo()
    session.redo()
    assert snapshot(session) == before


def test_a_replay_that_fails_halfway_changes_nothing() -> None:
    class Failing(BlobRuntime):
        def run(self, inputs: Any) -> Any:
            if len(self.calls) == 4:
                raise RuntimeError("out of memory")
            return super().run(inputs)

    session = started(Failing(), flip=False)
    for column in (100, 200, 300):
        session.click(100, column)
    before = snapshot(session)
    with pytest.raises(RuntimeError, match="out of memory"):
        session.remove_click(0)
    assert snapshot(session) == before


def test_a_click_forgets_what_was_undone() -> None:
    session = started()
    session.click(100, 200)
    session.undo()
    session.click(10, 20)
    with pytest.raises(UsageError, match="nothing to redo"):
        session.redo()


@pytest.mark.parametrize("protocol", ["app", "published"])
@pytest.mark.parametrize("size", [(300, 500), (1, 7), (5, 1), (801, 60)])
def test_the_mask_for_a_screen_is_that_of_the_photo(size: tuple[int, int], protocol: str) -> None:
    session = started(BlobRuntime(FIXED, radius=20), size=size, protocol=protocol)
    for clicks in range(3):
        if clicks:
            session.advance(size[0] * 0.4, size[1] * 0.5, True)
        mask = session.mask
        assert np.array_equal(mask, session.probabilities > np.float32(0.49))
        rows, columns = (np.arange(0, n, 3) for n in size)
        assert np.array_equal(session.mask_at(rows, columns), mask[::3, ::3])
        backwards = session.mask_at(rows[::-1], columns)
        assert np.array_equal(backwards, mask[::3, ::3][::-1])
    if protocol == "app":
        assert not session.mask_at([-1, size[0]], np.arange(size[1])).any()


def test_a_click_of_the_app_protocol_makes_nothing_of_the_photos_size() -> None:
    """12 megapixels: a click allocates less than one channel of the photo."""
    import tracemalloc

    session = InteractiveSession(BlobRuntime(IOSpec(400, 400, 24)), flip=False)
    session.set_image(photo(3000, 4000))
    tracemalloc.start()
    for column in (1000, 1500, 3900):
        session.advance(1000, column)
        session.mask_at(np.linspace(0, 2999, 1080), np.linspace(0, 3999, 1440))
    assert tracemalloc.get_traced_memory()[1] < 3000 * 4000 * 2
    tracemalloc.stop()


def test_an_unchanged_crop_is_not_resized_again(monkeypatch: Any) -> None:
    from ritm_edge.session import app_protocol

    made = []
    cut = app_protocol._cut
    monkeypatch.setattr(app_protocol, "_cut", lambda *a: made.append(1) or cut(*a))
    runtime = BlobRuntime(FIXED, radius=9)
    session = started(runtime, flip=False)
    session.click(100, 200)
    session.click(104, 204)
    crop, count = session.zoom_roi, len(made)
    session.click(103, 203, positive=False)
    assert session.zoom_roi == crop
    assert len(made) == count == 2
    assert np.array_equal(runtime.calls[1]["image"], runtime.calls[2]["image"])


@pytest.mark.parametrize("protocol", ["app", "published"])
def test_an_external_mask_is_shown_as_it_is_until_the_first_click(protocol: str) -> None:
    session = started(BlobRuntime(FIXED, radius=9), protocol=protocol)
    given = np.random.default_rng(0).random((300, 500)).astype(np.float32)
    session.set_mask(given)
    assert np.array_equal(session.probabilities, given)
    assert np.array_equal(session.mask, given > np.float32(0.49))
    session.click(100, 200)
    session.undo()
    assert np.array_equal(session.probabilities, given)


def test_objects_share_a_photo_and_nothing_else() -> None:
    image = photo()
    objects = ObjectsSession(BlobRuntime(FIXED, radius=8), image, flip=False)
    assert not objects.label_map().any()
    first, second = objects.add(), objects.add()
    image[:] = 0
    first.click(100, 100)
    second.click(100, 130)
    second.click(200, 400)
    labels = objects.label_map()
    assert labels.dtype == np.uint8
    assert np.array_equal(labels == 2, second.mask)
    assert np.array_equal(labels == 1, first.mask & ~second.mask)
    assert (first.mask & second.mask).any()
    alone = started(BlobRuntime(FIXED, radius=8), flip=False)
    alone.click(100, 100)
    assert snapshot(alone) == snapshot(first)
    objects.remove(first)
    assert np.array_equal(objects.label_map() == 1, second.mask)
    with pytest.raises(UsageError, match="none of this photo's objects"):
        objects.remove(first)


def test_a_label_map_has_room_for_255_objects() -> None:
    objects = ObjectsSession(BlobRuntime(), photo(4, 4))
    for _ in range(255):
        objects.add()
    with pytest.raises(UsageError, match="255 objects"):
        objects.add()


def test_a_log_repeats_a_session(tmp_path: Path) -> None:
    session = started(
        flip=False, threshold=0.3, zoom_in=ZoomIn((96, 64), min_crop=10), click_limit=7
    )
    session.set_mask(rectangle(80, 160, 220, 380))
    session.click(100, 200.25)
    session.click(5, 6, positive=False)
    path = tmp_path / "clicks.json"
    path.write_text(json.dumps(session.log()))
    log = read_log(path)
    again = started(**log.settings)
    again.set_mask(rectangle(80, 160, 220, 380))
    for click in log.clicks:
        again.click(click.row, click.column, click.positive)
    assert snapshot(again) == snapshot(session)
    mask = np.float32(rectangle(80, 160, 220, 380))
    log.check("0" * 64, (300, 500), mask)
    for wrong in [("1" * 64, (300, 500), mask), ("0" * 64, (300, 501), mask),
                  ("0" * 64, (300, 500), None), ("0" * 64, (300, 500), 1 - mask)]:  # fmt: skip
        with pytest.raises(UsageError, match="pass what they were made with"):
            log.check(*wrong)


def without(log: dict[str, Any], *names: str) -> dict[str, Any]:
    part = log
    for name in names[:-1]:
        part = part[name]
    del part[names[-1]]
    return log


@pytest.mark.parametrize(
    "damage",
    [
        lambda log: without(log, "clicks"),
        lambda log: without(log, "settings"),
        lambda log: without(log, "settings", "zoom_in"),
        lambda log: without(log, "settings", "zoom_in", "expansion") and {**log, "kind": "x"},
        lambda log: {**log, "format_version": 2},
        lambda log: {**log, "height": "300"},
        lambda log: {**log, "artifact_sha256": "abc"},
        lambda log: {**log, "clicks": [{"row": float("nan"), "column": 1, "positive": True}]},
        lambda log: {**log, "clicks": [{"row": -3, "column": 1, "positive": True}]},
        lambda log: {**log, "clicks": [{"row": 3, "column": 1, "positive": 1}]},
        lambda log: {**log, "clicks": {"row": 3}},
        lambda log: {**log, "settings": {**log["settings"], "shell": True}},
        lambda log: {**log, "settings": {**log["settings"], "zoom_in": {"target_size": [1]}}},
        lambda log: {**log, "settings": {**log["settings"], "zoom_in": "no"}},
        lambda log: [log],
        lambda _log: None,
    ],
)
def test_damaged_logs_are_refused(damage: Any, tmp_path: Path) -> None:
    session = started()
    session.click(100, 200)
    path = tmp_path / "clicks.json"
    path.write_text(json.dumps(damage(session.log())))
    with pytest.raises(InputFileError, match="is no click log of a session"):
        read_log(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"\x00" * (1 << 22)])
def test_files_that_are_no_log_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clicks.json"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match="is no click log of a session"):
        read_log(path)
