"""The recipes of the embedded weights: nothing is drawn whose weights may not be shipped."""

import numpy as np
import pytest

from ritm_edge.train.datasets import find_entries
from ritm_edge.train.datasets.folder import MaskEntry
from ritm_edge.train.order import DrawOrder, draw_probabilities
from ritm_edge.train.recipes import load_recipe
from ritm_edge.train.schedule import run_length

from ..paths import SHARED

PHONE = ["lite0-phone", "hrnet18s-phone"]
EXCLUDED = ("camvid", "carparts", "weizmann_horse", "coins")
TRAIN = SHARED / "data" / "train"


def is_excluded(entry):
    return entry.set_name.partition("/")[0] in EXCLUDED


@pytest.mark.parametrize("name", PHONE)
def test_no_draw_is_from_an_excluded_set(name):
    config = load_recipe(name)
    entries = [
        MaskEntry(f"{set_name}/masks", f"{set_name}{i}.jpg", f"{set_name}{i}.png")
        for set_name in (*EXCLUDED, "coco_mini", "somebody_elses")
        for i in range(10)
    ]
    chances = draw_probabilities(entries, config)
    assert not chances[[is_excluded(entry) for entry in entries]].any()
    assert chances[[not is_excluded(entry) for entry in entries]].all()


@pytest.mark.skipif(not TRAIN.is_dir(), reason="needs ../shared/data/train")
@pytest.mark.parametrize("name", PHONE)
def test_no_draw_of_the_real_data_is_from_an_excluded_set(name):
    config = load_recipe(name)
    entries = find_entries(config.data.datasets, TRAIN)
    assert {e.set_name.partition("/")[0] for e in entries if is_excluded(e)} == set(EXCLUDED)
    order = DrawOrder(entries, config, run_length(config, len(entries)))
    drawn = [entries[order.at(i, np.random.default_rng((1, i)))] for i in range(20_000)]
    assert not any(map(is_excluded, drawn))
    named = {n for n, share in config.data.set_weights.items() if share}
    assert {entry.set_name for entry in drawn} == named
