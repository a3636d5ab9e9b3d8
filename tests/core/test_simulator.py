import numpy as np
import pytest

from ritm_edge.errors import ShapeError
from ritm_edge.evaluation.simulator import next_click, squared_depth

from ..golden_files import load_arrays, load_json

# (case, step) where the OpenCV 5 of the record told apart two pixels of equal exact depth by a
# rounding error: it counts one deepest pixel where there are three.
ROUNDED_APART = {(9, 4)}


def exact_squared_depth(region: np.ndarray) -> np.ndarray:
    """By trying every pixel outside, the frame around the image included."""
    padded = np.pad(region, 1)
    outside = np.argwhere(~padded)
    result = np.zeros(padded.shape, np.int64)
    for row, column in np.argwhere(padded):
        result[row, column] = ((outside - (row, column)) ** 2).sum(axis=1).min()
    return result[1:-1, 1:-1]


@pytest.mark.parametrize("case", range(25))
def test_published_clicks_are_reproduced(case: int) -> None:
    record = load_json("metrics_clicker.json")["clicker"][case]
    arrays = load_arrays("metrics_clicker.npz")
    truth = arrays[f"clicker/{case}/gt"].astype(np.int32)
    bits = np.unpackbits(arrays[f"clicker/{case}/preds"])
    count = len(record["clicks"])
    predictions = bits[: count * truth.size].reshape(count, *truth.shape).astype(bool)
    clicked: set[tuple[int, int]] = set()
    for step, expected in enumerate(record["clicks"]):
        click = next_click(truth, predictions[step], clicked, order=step)
        assert (click.positive, click.order) == (expected["pos"], expected["indx"])
        missed = squared_depth((truth == 1) & ~predictions[step])
        wrong = squared_depth((truth == 0) & predictions[step])
        for position in clicked:
            missed[position] = wrong[position] = 0
        assert (missed.max(), wrong.max()) == (expected["fn_max_sq"], expected["fp_max_sq"])
        got, published = (click.row, click.column), (expected["y"], expected["x"])
        depth = missed if click.positive else wrong
        if (case, step) in ROUNDED_APART:
            assert got != published
            assert depth[published] == depth.max()
            assert expected["ties"] < (depth == depth.max()).sum()
        else:
            assert got == published
        clicked.add(published)


def test_depth_is_the_exact_distance() -> None:
    region = np.random.default_rng(0).random((23, 31)) < 0.93
    assert np.array_equal(squared_depth(region), exact_squared_depth(region))


def test_depth_of_a_large_region_is_exact() -> None:
    rows, columns = np.mgrid[0:1501, 0:1801]
    expected = np.minimum.reduce([rows + 1, columns + 1, 1501 - rows, 1801 - columns]) ** 2
    assert np.array_equal(squared_depth(np.ones((1501, 1801), bool)), expected)


def test_equal_depths_give_a_negative_click() -> None:
    truth = np.zeros((5, 9), np.int32)
    truth[1:4, 0:3] = 1
    predicted = np.zeros((5, 9), bool)
    predicted[1:4, 6:9] = True
    click = next_click(truth, predicted)
    assert (click.row, click.column, click.positive) == (2, 7, False)


def test_perfect_mask_gives_a_negative_click_in_the_corner_again_and_again() -> None:
    truth = np.zeros((4, 4), np.int32)
    truth[1:3, 1:3] = 1
    for clicked in (set(), {(0, 0)}):
        click = next_click(truth, truth == 1, clicked, order=5)
        assert (click.row, click.column, click.positive, click.order) == (0, 0, False, 5)


def test_ignored_pixels_split_a_region_and_are_never_wrong() -> None:
    truth = np.ones((3, 9), np.int32)
    truth[:, 4] = -1
    click = next_click(truth, np.zeros((3, 9), bool))
    assert (click.row, click.column, click.positive) == (1, 1, True)
    only_ignored = np.full((3, 9), -1, np.int32)
    only_ignored[0, 0] = 1
    assert next_click(only_ignored, np.ones((3, 9), bool)).row == 0


def test_a_clicked_pixel_is_not_chosen_again() -> None:
    truth = np.ones((3, 3), np.int32)
    nothing = np.zeros((3, 3), bool)
    assert next_click(truth, nothing).row == 1
    second = next_click(truth, nothing, {(1, 1)})
    assert (second.row, second.column, second.positive) == (0, 0, True)


def test_sizes_must_agree() -> None:
    with pytest.raises(ShapeError, match=r"\[2, 2\].*\[2, 3\]"):
        next_click(np.zeros((2, 2), np.int32), np.zeros((2, 3), bool))
