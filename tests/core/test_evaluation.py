import numpy as np
import pytest

from ritm_edge.data.base import Sample
from ritm_edge.errors import UsageError
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.evaluation.metrics import iou

from .blob_runtime import BlobRuntime, photo


class Disk(Sample):
    """A disk of 40 pixels: what `BlobRuntime` selects around the first click."""

    def __init__(self, name: str = "disk") -> None:
        object.__setattr__(self, "name", name)

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.mgrid[0:300, 0:500]
        truth = ((rows - 150) ** 2 + (columns - 250) ** 2 <= 40**2).astype(np.int32)
        return photo(), truth


NO_ZOOM = EvaluationSettings(max_clicks=5, zoom_in=None)


def test_the_first_click_hits_the_middle_and_solves_the_disk() -> None:
    result = evaluate_sample(BlobRuntime(), Disk(), NO_ZOOM)
    first = result.clicks[0]
    assert (first.row, first.column, first.positive) == (150, 250, True)
    assert result.ious.dtype == np.float32
    assert result.ious[0] == 1
    assert len(result.ious) == len(result.clicks) == 5
    # Nothing is wrong any more: published, the corner is clicked again and again.
    assert [(c.row, c.column, c.positive) for c in result.clicks[1:]] == [(0, 0, False)] * 4
    assert result.seconds > 0


def test_evaluation_stops_at_the_target_but_not_before_min_clicks() -> None:
    settings = EvaluationSettings(max_clicks=5, zoom_in=None, target_iou=0.9)
    assert len(evaluate_sample(BlobRuntime(), Disk(), settings).ious) == 1
    later = EvaluationSettings(max_clicks=5, zoom_in=None, target_iou=0.9, min_clicks=3)
    assert len(evaluate_sample(BlobRuntime(), Disk(), later).ious) == 3


def test_ious_belong_to_the_masks_of_the_session() -> None:
    truth = Disk().load()[1]
    seen: list[float] = []

    def observe(session: object, value: float) -> None:
        assert value == iou(truth, session.mask)  # type: ignore[attr-defined]
        seen.append(value)

    result = evaluate_sample(BlobRuntime(radius=20), Disk(), NO_ZOOM, observe=observe)
    assert np.array_equal(result.ious, np.array(seen, np.float32))
    assert 0 < seen[0] < seen[-1] < 1


def test_no_clicks_is_an_error() -> None:
    with pytest.raises(UsageError, match="0 clicks"):
        EvaluationSettings(max_clicks=0)
