"""The published predictor on scripted clicks: vanishing masks, borders, limits, masks, undo."""

from typing import Any

import numpy as np
import pytest

from ritm_edge.errors import UsageError
from ritm_edge.io_spec import CLICKS
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.session.zoom_in import ZoomIn

from ..golden_files import load_arrays, load_json
from ..paths import requires_whole_golden
from .golden_session import FakeNetRuntime, GoldenSample

pytestmark = requires_whole_golden

STRIDE = 8
SCRIPTS = (
    "wipe_cvpr",
    "wipe_skipm1",
    "wipe_noflip",
    "corner_skip0",
    "corner_big_target",
    "negout_skip0",
    "neginvisible_noflip",
    "maxsize_300_zoom500",
    "demo_default",
    "init_demo",
    "undo_cvpr",
)


def session_for(record: dict[str, Any], runtime: FakeNetRuntime) -> InteractiveSession:
    published = record["predictor"]
    names = {
        "target_size": "target_size",
        "skip_clicks": "skip_clicks",
        "expansion_ratio": "expansion",
        "min_crop_size": "min_crop",
        "recompute_thresh_iou": "recompute_iou",
    }
    zoom = {names[k]: v for k, v in published["zoom_in_params"].items()}
    if isinstance(zoom["target_size"], list):
        zoom["target_size"] = tuple(zoom["target_size"])
    limits = published.get("predictor_params", {})
    return InteractiveSession(
        runtime,
        protocol="published",
        zoom_in=ZoomIn(**zoom),
        flip=published.get("with_flip", True),
        max_side=limits.get("max_size"),
        click_limit=limits.get("net_clicks_limit"),
    )


def compare_calls(runtime: FakeNetRuntime, expected: list[dict[str, Any]]) -> None:
    got = iter(runtime.calls)
    for call in expected:
        # The published code batches the mirrored copy; a session runs it on its own.
        for points in call["points"]:
            inputs = next(got)
            assert list(inputs["image"].shape[2:]) == call["net_shape"][2:]
            # Scripted clicks were Python integers, which the published code rounds to float32.
            assert np.array_equal(
                inputs[CLICKS][0].astype(np.float32), np.array(points, np.float32)
            )
            mean = float(inputs["prev_mask"].mean(dtype=np.float64))
            assert mean == pytest.approx(call["prev_in_mean"], abs=1e-5)
    assert next(got, None) is None, "more network calls than published"
    runtime.calls.clear()


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_reproduced(script: str) -> None:
    record = load_json("predictor_scripted.json")[script]
    maps = load_arrays("predictor_scripted.npz")
    image, _ = GoldenSample("GrabCut/person1.jpg").load()
    runtime = FakeNetRuntime()
    session = session_for(record, runtime)
    session.set_image(image)
    if record["init_mask"]:
        # Not stored with the record; this rectangle has all its recorded means.
        mask = np.zeros(image.shape[:2], bool)
        mask[100:300, 150:400] = True
        session.set_mask(mask)
    for step, expected in enumerate(record["steps"]):
        row, column, positive = expected["click"]
        if "error" in expected:
            with pytest.raises(UsageError, match="max_side"):
                session.click(row, column, bool(positive))
            continue
        mask = session.click(row, column, bool(positive))
        compare_calls(runtime, expected["calls"])
        roi = session.zoom_roi
        assert (None if roi is None else list(roi)) == expected["calls"][-1]["roi"], step
        got = session.probabilities
        assert mask.sum() == expected["area_049"], step
        assert (got > np.float32(0.5)).sum() == expected["area_050"], step
        assert got.max() == pytest.approx(expected["max"], abs=1e-6)
        assert got.sum(dtype=np.float64) == pytest.approx(expected["sum"], rel=1e-6)
        stored = maps[f"{script}/{step}"].astype(np.float32)
        assert np.abs(got[::STRIDE, ::STRIDE] - stored).max() < 1e-3
        if step == record["undo_before_click"]:
            session.undo()


def test_every_script_is_replayed() -> None:
    assert set(load_json("predictor_scripted.json")) == set(SCRIPTS)
