import numpy as np
import pytest

from ritm_edge.errors import UsageError
from ritm_edge.evaluation.damaged_mask import TOLERANCE, damaged_mask
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.evaluation.metrics import iou
from ritm_edge.io_spec import PREV_MASK

from .blob_runtime import BlobRuntime
from .test_evaluation import Disk


@pytest.mark.parametrize("target", [0.5, 0.75, 0.85])
def test_the_mask_has_the_iou_asked_for(target: float) -> None:
    rows, columns = np.mgrid[0:200, 0:300]
    truth = ((rows - 90) ** 2 + 0.3 * (columns - 150) ** 2 <= 50**2).astype(np.int32)
    truth[:20] = -1
    masks = [damaged_mask(truth, target, name=name) for name in ("a", "a", "b")]
    for mask in masks:
        assert mask.shape == truth.shape
        assert target - TOLERANCE <= iou(truth, mask) <= target
        assert (mask & (truth != 1)).any()
        assert (~mask & (truth == 1)).any()
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


def test_small_and_border_filling_objects_are_damaged_too() -> None:
    whole = np.ones((40, 50), np.int32)
    assert iou(whole, damaged_mask(whole, 0.8)) <= 0.8
    dot = np.zeros((40, 50), np.int32)
    dot[3:5, 4:6] = 1
    assert iou(dot, damaged_mask(dot, 0.8)) <= 0.8


def test_what_cannot_be_damaged_is_refused() -> None:
    with pytest.raises(UsageError, match="no object to start from"):
        damaged_mask(np.zeros((5, 5), np.int32), 0.8)
    with pytest.raises(UsageError, match=r"starting mask is 1\.0"):
        damaged_mask(np.ones((5, 5), np.int32), 1.0)


def test_an_evaluation_starts_from_the_damaged_mask() -> None:
    runtime = BlobRuntime()
    truth = Disk().load()[1]
    settings = EvaluationSettings(max_clicks=2, zoom_in=None, flip=False, start_iou=0.7)
    result = evaluate_sample(runtime, Disk(), settings)
    start = damaged_mask(truth, 0.7, name="disk")
    assert np.array_equal(runtime.calls[0][PREV_MASK][0, 0] > 0.5, start)
    # The first click goes where the damage is deepest, not into the middle of the disk.
    assert (result.clicks[0].row, result.clicks[0].column) != (150, 250)
