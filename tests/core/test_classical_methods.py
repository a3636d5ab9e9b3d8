"""GrabCut, graph cut, random walker, and methods of one's own."""

import numpy as np
import pytest

from ritm_edge.clicks import Click
from ritm_edge.data.base import Sample
from ritm_edge.errors import RitmEdgeError, UsageError
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_method, evaluate_sample
from ritm_edge.evaluation.metrics import iou
from ritm_edge.methods.base import CLASSICAL, METHODS, ClassicalRuntime, check_method
from ritm_edge.methods.seeds import SeedMethod, seed_map
from ritm_edge.runtimes.base import Runtime
from ritm_edge.session.interactive import InteractiveSession

from .blob_runtime import BlobRuntime

SIZE = (60, 90)


@pytest.fixture(scope="module")
def square() -> tuple[np.ndarray, np.ndarray]:
    """A bright square on dark noise, and its truth."""
    truth = np.zeros(SIZE, np.int32)
    truth[15:45, 20:60] = 1
    photo = np.random.default_rng(0).integers(0, 60, (*SIZE, 3), np.uint8)
    photo[truth == 1] += 160
    return photo, truth


class Square(Sample):
    def __init__(self, square):
        object.__setattr__(self, "name", "square")
        object.__setattr__(self, "square", square)

    def load(self):
        return self.square


@pytest.mark.parametrize("name", CLASSICAL)
def test_an_easy_object_is_found_and_the_same_clicks_give_the_same_mask(name, square):
    photo, truth = square
    masks = []
    for _ in range(2):
        method = SeedMethod(name)
        method.set_image(photo)
        assert not method.mask.any()
        method.click(30, 40)
        masks.append(method.click(5, 80, positive=False))
        assert [click.order for click in method.clicks] == [0, 1]
    assert np.array_equal(*masks)
    assert masks[0].dtype == bool
    assert iou(truth, masks[0]) > 0.9
    result = evaluate_sample(
        ClassicalRuntime(name), Square(square), EvaluationSettings(method=name, target_iou=0.9)
    )
    assert result.ious[-1] >= 0.9
    assert len(result.ious) <= 3


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize(
    "clicks",
    [
        [(30, 40, False)],
        [(0, 0, True)],
        [(59, 89, True), (0, 89, False)],
        [(30, 40, True), (30, 40, False)],
    ],
    ids=["only negative", "corner", "corners", "covered"],
)
@pytest.mark.parametrize("size", [(60, 90), (12, 12), (1, 1), (1, 40)], ids=str)
def test_odd_clicks_and_photos_give_a_mask(name, clicks, size):
    method = SeedMethod(name)
    method.set_image(np.full((*size, 3), 128, np.uint8))
    for row, column, positive in clicks:
        mask = method.click(min(row, size[0] - 1), min(column, size[1] - 1), positive)
        assert mask.shape == size


def test_seeds_are_disks_later_ones_on_top_and_the_border_is_background():
    seeds = seed_map((Click(20, 30), Click(20, 33, positive=False, order=1)), SIZE)
    assert seeds[20, 26] == 1
    assert seeds[20, 30] == seeds[20, 33] == -1
    assert (seeds[0] == -1).all()
    assert (seeds[:, -1] == -1).all()
    assert seeds[40, 40] == 0
    assert seed_map((Click(0, 30),), SIZE)[0, 30] == 1


def test_a_click_that_takes_too_long_is_one_sentence(square):
    method = SeedMethod("graph-cut", limit=0.0)
    method.set_image(square[0])
    with pytest.raises(RitmEdgeError, match="graph-cut took 0 s for a click on a photo of 90×60"):
        method.click(30, 40)
    with pytest.raises(UsageError, match="no photo"):
        SeedMethod("grabcut").click(1, 1)
    with pytest.raises(UsageError, match="unknown method 'sam': choose one of f-brs-a"):
        check_method("sam")


def test_a_classical_method_stands_where_a_runtime_does():
    for name in CLASSICAL:
        runtime: Runtime = ClassicalRuntime(name)
        assert runtime.source.open().label == name
        assert name in runtime.sha256
        with pytest.raises(UsageError, match="has no network"):
            runtime.run({})
    assert set(CLASSICAL) < set(METHODS)


class Everything:
    """The docs' example: a method of one's own."""

    def __init__(self):
        self.clicks, self.mask = (), np.zeros((0, 0), bool)

    def set_image(self, image):
        self.clicks, self.mask = (), np.zeros(image.shape[:2], bool)

    def click(self, row, column, positive=True):
        self.clicks = (*self.clicks, Click(row, column, positive=positive))
        self.mask = np.full(self.mask.shape, positive)
        return self.mask


def test_an_own_method_is_measured_like_a_session(square):
    settings = EvaluationSettings(max_clicks=3)
    own = evaluate_method(Everything(), Square(square), settings)
    assert own.ious[0] == pytest.approx(30 * 40 / (60 * 90))
    assert len(own.clicks) == 3
    runtime = BlobRuntime()
    session = InteractiveSession(runtime, protocol="published")
    by_method = evaluate_method(session, Square(square), settings)
    by_sample = evaluate_sample(runtime, Square(square), settings)
    assert by_method.clicks == by_sample.clicks
    assert np.array_equal(by_method.ious, by_sample.ious)
