"""Users who do not click exactly in the middle."""

import numpy as np
import pytest

from ritm_edge.errors import UsageError
from ritm_edge.evaluation.simulator import User, next_click, parse_user, squared_depth

TRUTH = np.zeros((80, 100), np.int32)
TRUTH[20:60, 10:50] = 1
TRUTH[30:40, 80:90] = 1  # a smaller part, never the deepest
NOTHING = np.zeros(TRUTH.shape, bool)


def clicks_of(user: User, count: int = 200) -> np.ndarray:
    users = [User(user.kind, user.pixels, (seed,)) for seed in range(count)]
    found = [next_click(TRUTH, NOTHING, user=each) for each in users]
    assert all(click.positive for click in found)
    return np.array([(click.row, click.column) for click in found])


def test_jitter_misses_the_middle_by_its_deviation():
    middle = next_click(TRUTH, NOTHING)
    missed = clicks_of(User("jitter", 6.0)) - (middle.row, middle.column)
    assert np.abs(missed.mean(0)).max() < 1.5
    assert missed.std(0) == pytest.approx([6, 6], rel=0.2)
    assert not clicks_of(User("jitter", 0.0)).std(0).any()
    far = clicks_of(User("jitter", 1000.0))
    assert (far >= 0).all()
    assert (far < (80, 100)).all()


def test_border_and_random_stay_in_the_region_of_the_published_click():
    depth = squared_depth(TRUTH == 1)
    border, anywhere = clicks_of(User("border")), clicks_of(User("random"))
    for found in (border, anywhere):
        rows, columns = found.astype(int).T
        assert (TRUTH[rows, columns] == 1).all()
        assert (columns < 50).all(), "the other part is another region"
        assert len(np.unique(found, axis=0)) > 100
    assert (depth[tuple(border.astype(int).T)] <= 4).all()
    assert anywhere.std(0).min() > 8


def test_the_same_seed_clicks_alike_and_others_elsewhere():
    for kind in ("border", "random"):
        first, again, other = (
            next_click(TRUTH, NOTHING, user=User(kind, seed=seed)) for seed in ((1,), (1,), (2,))
        )
        assert first == again
        assert first != other


def test_a_perfect_mask_is_clicked_as_published():
    done = TRUTH == 1
    assert next_click(TRUTH, done, user=User("random")) == next_click(TRUTH, done)


@pytest.mark.parametrize("text", ["", "jitter", "jitter=", "jitter=a", "border=2", "thumb", "=3"])
def test_what_is_no_user_is_refused(text):
    with pytest.raises(UsageError, match=r"is not a user|the jitter is"):
        parse_user(text)


@pytest.mark.parametrize("number", ["-1", "nan", "inf", "1e9"])
def test_a_jitter_without_sense_is_refused(number):
    with pytest.raises(UsageError, match=f"the jitter is {number} pixels"):
        parse_user(f"jitter={number}")


def test_users_are_parsed():
    assert parse_user("jitter=2.5") == User("jitter", 2.5)
    assert parse_user("border") == User("border")
