import math

import numpy as np
import pytest

from ritm_edge.errors import ShapeError, UsageError
from ritm_edge.evaluation.metrics import (
    clicks_to_reach,
    iou,
    mean_iou_at,
    noc_thresholds,
    summarize_noc,
)

from ..golden_files import load_arrays, load_json


def golden_ious() -> list[np.ndarray]:
    lists = load_json("metrics_clicker.json")["noc"]["ious"]
    return [np.array([math.nan if v is None else v for v in ious], np.float32) for ious in lists]


@pytest.mark.parametrize("case", range(14))
def test_published_noc_is_reproduced(case: int) -> None:
    record = load_json("metrics_clicker.json")["noc"]["cases"][case]
    for index, target in enumerate(record["thrs"]):
        summary = summarize_noc(golden_ious(), target, max_clicks=record["max_clicks"])
        assert summary.per_sample == tuple(record["per_sample"][index])
        assert summary.mean == record["noc"][index]
        assert summary.at_limit == record["over_max"][index]
        assert summary.failed <= summary.at_limit


@pytest.mark.parametrize("case", range(12))
def test_published_iou_is_reproduced(case: int) -> None:
    expected = load_json("metrics_clicker.json")["iou"][case]
    arrays = load_arrays("metrics_clicker.npz")
    names = f"iou/{case}/gt", f"iou/{case}/pred"
    if names[0] not in arrays:
        pytest.fail(f"{names[0]} is not among the arrays")
    got = iou(arrays[names[0]].astype(np.int32), arrays[names[1]])
    assert math.isnan(got) if expected is None else got == expected


@pytest.mark.parametrize("target", ["0.90", "1.01"])
def test_published_thresholds_are_reproduced(target: str) -> None:
    expected = load_json("metrics_clicker.json")[f"thr_list_target_{target}"]
    assert noc_thresholds(float(target)) == expected


def test_a_sample_solved_at_the_last_click_is_at_the_limit_but_not_failed() -> None:
    solved_last = [0.1] * 19 + [0.95]
    summary = summarize_noc([solved_last, [0.1] * 20, [0.95]], 0.9)
    assert summary.per_sample == (20, 20, 1)
    assert (summary.at_limit, summary.failed) == (2, 1)


def test_thresholds_are_compared_in_float32() -> None:
    just_below = np.array([0.8999999762], np.float32)
    assert float(just_below[0]) < 0.9
    assert clicks_to_reach(just_below, 0.9) == 1
    assert clicks_to_reach([math.nan], 0.1) is None


def test_iou_leaves_ignored_pixels_out() -> None:
    truth = np.array([[1, 1, 0, -1]])
    assert iou(truth, np.array([[True, False, True, True]])) == 1 / 3
    assert math.isnan(iou(np.array([[0, -1]]), np.array([[False, True]])))
    with pytest.raises(ShapeError, match="same size"):
        iou(truth, np.zeros((1, 3), bool))


def test_mean_iou_keeps_the_last_value_of_samples_that_stopped() -> None:
    ious = [[0.5, 0.9], [0.2, 0.4, 0.6], [math.nan]]
    assert mean_iou_at(ious, 1) == pytest.approx(0.35)
    assert mean_iou_at(ious, 3) == pytest.approx(0.75)
    assert math.isnan(mean_iou_at([[math.nan]], 1))
    with pytest.raises(UsageError, match="0 clicks"):
        mean_iou_at(ious, 0)


def test_no_samples_is_an_error() -> None:
    with pytest.raises(UsageError, match="no samples"):
        summarize_noc([], 0.9)
