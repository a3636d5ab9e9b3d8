"""Settings and recipes: refused where they cannot be trained with."""

import json
from dataclasses import replace

import pytest

from ritm_edge.errors import UsageError
from ritm_edge.model.ritm import model_names
from ritm_edge.train.config import TrainConfig
from ritm_edge.train.loop import learning_rate_at
from ritm_edge.train.recipes import load_recipe, recipe_names, recipe_summary

from .photos import small_config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop", (31, 64)),
        ("batch_size", 1),
        ("steps", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("warmup_steps", -1),
        ("final_learning_rate", 1.5),
        ("max_iterations", -1),
        ("max_iterations", 25),
        ("aux_weight", float("nan")),
        ("object_crop_probability", -0.1),
        ("merge_probability", 2.0),
        ("set_weights", {"a/masks": -1.0}),
        ("seed", -1),
    ],
)
def test_values_that_cannot_be_trained_with_are_named(name, value):
    shown = {"crop": "31x64", "set_weights": "a/masks is -1.0"}.get(name, str(value))
    with pytest.raises(UsageError) as caught:
        TrainConfig(**{name: value})
    assert shown in str(caught.value)


def test_every_recipe_is_a_usable_configuration():
    assert {"hrnet18s_small_crops", "hrnet18s_larger_crops"} <= set(recipe_names())
    for name in recipe_names():
        config = load_recipe(name)
        assert config.model in model_names()
        assert recipe_summary(name)
        json.dumps(config.as_dict())
        if config.set_weights:
            assert sum(config.set_weights.values()) == pytest.approx(1.0)


def test_an_unknown_recipe_is_refused_with_the_list():
    with pytest.raises(UsageError, match=r"'fast'.*hrnet18s_larger_crops, hrnet18s_small_crops"):
        load_recipe("fast")


def test_the_rate_rises_then_falls_to_the_end():
    config = small_config(steps=100, warmup_steps=10, learning_rate=1e-3, final_learning_rate=0.1)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate_at(100, config) == pytest.approx(1e-4)
    # A run cut short with --steps stays inside the warm-up and still works.
    short = replace(config, steps=5)
    assert learning_rate_at(4, short) == pytest.approx(5e-4)
