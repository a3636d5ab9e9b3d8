"""First clicks: where they may fall, how many there are, and the published distributions."""

import numpy as np
import pytest
import torch

from ritm_edge.train.click_sampler import (
    FIRST_CLICK_ORDER,
    border_ring,
    count_probabilities,
    inner_region,
    sample_first_clicks,
)
from ritm_edge.train.config import ClickSettings
from ritm_edge.train.dataset import make_sample
from ritm_edge.train.scene import from_label_map

from ..golden_files import load_arrays, load_json
from .photos import shapes, small_config

SETTINGS = ClickSettings()
SLOTS = SETTINGS.max_clicks


def split(clicks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filled positive and negative slots as integer (row, column)."""
    halves = clicks[:SLOTS], clicks[SLOTS:]
    positive, negative = (half[half[:, 2] >= 0, :2].astype(int) for half in halves)
    return positive, negative


def test_counts_follow_the_published_law():
    golden = load_json("train.json")
    np.testing.assert_allclose(count_probabilities(24, 0.8), golden["pos_count_probs"], rtol=1e-12)
    np.testing.assert_allclose(count_probabilities(25, 0.8), golden["neg_count_probs"], rtol=1e-12)


def test_eroded_object_and_border_ring_are_the_published_ones():
    golden, arrays = load_json("train.json"), load_arrays("train.npz")
    shape = golden["sampler_shape"]

    def mask(name: str) -> np.ndarray:
        return np.unpackbits(arrays[name])[: shape[0] * shape[1]].reshape(shape).astype(bool)

    assert len(golden["sampler"]) == 8
    for index, sizes in enumerate(golden["sampler"]):
        scene = mask(f"sampler/{index}/mask")
        assert scene.sum() == sizes["area"]
        assert np.array_equal(inner_region(scene), mask(f"sampler/{index}/eroded"))
        assert np.array_equal(border_ring(scene, 0.1), mask(f"sampler/{index}/border"))


def same_law(counts: np.ndarray, reference: list[int]) -> float:
    """Two-sample chi-square divided by its degrees of freedom, over bins that are not rare."""
    pairs = np.array([counts, reference], float)
    pairs = pairs[:, pairs.sum(axis=0) >= 10]
    return float(((pairs[0] - pairs[1]) ** 2 / pairs.sum(axis=0)).sum() / (pairs.shape[1] - 1))


def test_counts_and_merging_agree_with_a_published_monte_carlo_run():
    golden = load_json("train.json")["sampler_monte_carlo"]
    labels = np.zeros((120, 160), np.uint8)
    labels[10:60, 10:70] = 1
    labels[70:110, 90:150] = 2
    scene = from_label_map(np.zeros((120, 160, 3), np.uint8), labels)
    rng = np.random.default_rng(5)
    config = small_config(min_object_pixels=80)
    histograms, merged = np.zeros((2, 25), int), 0
    trials = golden["trials"]
    for _ in range(trials):
        sample = make_sample(scene, None, config, rng)
        for index, clicks in enumerate(split(sample["clicks"].numpy())):
            histograms[index, len(clicks)] += 1
        merged += int(sample["labels"].sum()) == 3000 + 2400

    # Equal trials on both sides; about 20 degrees of freedom: 2.3 is beyond the 99.9 % quantile.
    assert same_law(histograms[0], golden["hist_pos"]) < 2.3
    assert same_law(histograms[1], golden["hist_neg"]) < 2.3
    # Four standard errors of the difference of two runs.
    spread = 4 * np.sqrt(2 / trials)
    means = histograms @ np.arange(25) / trials
    assert means[0] == pytest.approx(golden["mean_pos"], abs=4.2 * spread)
    assert means[1] == pytest.approx(golden["mean_neg"], abs=4.0 * spread)
    assert merged / trials == pytest.approx(golden["merged_fraction"], abs=0.36 * spread)


def test_clicks_fall_where_they_should_and_never_on_ignored_pixels():
    rng = np.random.default_rng(0)
    places = {"other": 0, "ring": 0, "all": 0}
    for trial in range(200):
        _, labels = shapes(trial % 5)
        ignored = border_ring(labels == 1, 0.1) & (np.arange(labels.shape[1]) % 2 == 0)
        parts = [(labels == 1)] if trial % 2 else [labels == 1, labels == 2]
        target = np.logical_or.reduce(parts)
        clicks = sample_first_clicks(
            parts, (labels != 0) & ~target, SETTINGS, rng=rng, ignored=ignored
        )
        positive, negative = split(clicks)
        assert len(positive) >= len(parts)
        assert target[tuple(positive.T)].all()
        assert not (target | ignored)[tuple(negative.T)].any()
        for part, first in zip(parts, positive, strict=False):
            assert part[tuple(first)]
        if trial % 2:
            places["all"] += len(negative)
            places["other"] += int((labels == 2)[tuple(negative.T)].sum())
            places["ring"] += int(border_ring(target, 0.1)[tuple(negative.T)].sum())
    assert places["other"] / places["all"] > 0.35
    assert places["ring"] / places["all"] > 0.4


def test_slots_are_filled_from_the_front():
    rng = np.random.default_rng(1)
    _, labels = shapes(0)
    for _ in range(50):
        clicks = sample_first_clicks([labels == 1], labels == 2, SETTINGS, rng=rng)
        for half in (clicks[:SLOTS], clicks[SLOTS:]):
            filled = int((half[:, 2] >= 0).sum())
            assert (half[:filled, 2] == FIRST_CLICK_ORDER).all()
            assert (half[filled:] == -1).all()


def test_an_empty_target_gets_negative_clicks_only():
    rng = np.random.default_rng(2)
    empty = np.zeros((20, 30), bool)
    for _ in range(20):
        clicks = sample_first_clicks([empty], empty, SETTINGS, rng=rng)
        assert not (clicks[:SLOTS] >= 0).any()


def test_a_small_object_is_not_eroded_away():
    speck = np.zeros((20, 20), bool)
    speck[5:9, 5:9] = True
    assert np.array_equal(inner_region(speck), speck)
    positive, _ = split(sample_first_clicks([speck], speck, SETTINGS, rng=np.random.default_rng(0)))
    assert speck[tuple(positive.T)].all()


def test_an_object_over_the_whole_crop_gets_no_negative_click():
    rng = np.random.default_rng(3)
    labels = np.full((40, 40), 1, np.uint8)
    for _ in range(20):
        scene = from_label_map(np.zeros((40, 40, 3), np.uint8), labels)
        sample = make_sample(scene, 0, small_config(), rng)
        assert bool((sample["clicks"][SLOTS:] == -1).all())
        assert sample["labels"].dtype == torch.float32


def test_a_share_of_samples_starts_with_one_click():
    rng = np.random.default_rng(4)
    _, labels = shapes(0)
    always = ClickSettings(single_click_probability=1.0)
    for parts in ([labels == 1], [labels == 1, labels == 2]):
        clicks = sample_first_clicks(parts, labels == 2, always, rng=rng)
        positive, negative = split(clicks)
        assert (len(positive), len(negative)) == (1, 0)
    half = ClickSettings(single_click_probability=0.5, decay=1.0)
    single = 0
    for _ in range(400):
        positive, negative = split(sample_first_clicks([labels == 1], labels == 2, half, rng=rng))
        single += (len(positive), len(negative)) == (1, 0)
    # Without a decay one click in 25 · 24 comes by chance; four standard errors.
    assert single / 400 == pytest.approx(0.5, abs=0.1)
