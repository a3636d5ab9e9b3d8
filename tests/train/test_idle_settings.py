"""Every setting acts, or is refused where somebody set it."""

import json

import pytest

from ritm_edge.errors import UsageError
from ritm_edge.train.config import TrainConfig
from ritm_edge.train.idle_settings import NEEDS, changed
from ritm_edge.train.recipes import load_recipe, load_recipe_file, recipes
from ritm_edge.train.settings import as_dict, flatten, override

# Settings that act whatever the others are.
ALWAYS = """
    model.name model.input_scheme model.encoding model.radius model.prev_mask
    data.datasets data.batch_size data.epoch_samples data.set_weights data.min_object_pixels
    data.merge_probability data.stuff_probability data.cache
    augmentation.kind augmentation.crop augmentation.horizontal_flip augmentation.vertical_flip
    augmentation.colour_probability
    clicks.max_clicks clicks.decay clicks.single_click_probability clicks.erode_probability
    clicks.negative_places clicks.ring_width
    iterative.max_iterations iterative.use_prev_mask iterative.damaged_start_probability
    optimizer.kind optimizer.lr optimizer.betas optimizer.backbone_lr_multiplier
    optimizer.weight_decay
    schedule.steps schedule.kind schedule.warmup_steps
    loss.kind
    run.seed run.batches run.precision run.compile run.cuda_graphs run.channels_last
    run.grad_clip run.ema_decay run.val_every_steps run.val_samples run.image_every
""".split()
# (setting, value, what makes it idle, what makes it act)
CASES = [
    ("augmentation.scale", "0.5,2", ["augmentation.kind=object_crops"], []),
    ("augmentation.quarter_turns", "true", ["augmentation.kind=object_crops"], []),
    ("augmentation.shift", "0.1", ["augmentation.kind=object_crops"], []),
    ("augmentation.rotate", "3", ["augmentation.kind=object_crops"], []),
    ("augmentation.shift", "0.1", ["augmentation.warp_probability=0"], []),
    ("augmentation.rotate", "3", ["augmentation.warp_probability=0"], []),
    ("augmentation.warp_probability", "0.5", [], ["augmentation.rotate=3"]),
    ("augmentation.warp_probability", "0.5", [], ["augmentation.shift=0.1"]),
    ("augmentation.empty_crop_probability", "0.5", ["augmentation.kind=object_crops"], []),
    ("augmentation.object_crop_probability", "0.1", [], ["augmentation.kind=object_crops"]),
    ("augmentation.brightness", "-1,1", ["augmentation.colour_probability=0"], []),
    ("augmentation.contrast", "-1,1", ["augmentation.colour_probability=0"], []),
    ("augmentation.channel_shift", "1", ["augmentation.colour_probability=0"], []),
    ("loss.alpha", "0.3", ["loss.kind=bce"], ["loss.kind=focal"]),
    ("loss.alpha", "0.3", ["loss.kind=soft_iou"], []),
    ("loss.gamma", "3", ["loss.kind=bce"], []),
    ("loss.gamma", "3", ["loss.kind=soft_iou"], ["loss.kind=focal"]),
    ("loss.aux_weight", "1", ["model.name=deeplab_r34"], ["model.name=hrnet32"]),
    ("loss.aux_weight", "1", ["model.name=deeplab_r50"], ["model.name=lite0"]),
    ("data.area_power", "0.5", [], ["augmentation.kind=windows"]),
    ("data.area_power", "0.5", [], ["augmentation.kind=object_crops"]),
    ("augmentation.window_shares", "1,0,0", [], ["augmentation.kind=windows"]),
    ("clicks.positive_places", "0,0,1", [], ["clicks.single_click_probability=0.5"]),
    ("iterative.deepest_probability", "1", ["iterative.max_iterations=0"], []),
    ("iterative.skip_ignored", "true", ["iterative.max_iterations=0"], []),
    ("schedule.milestones", "1,2", ["schedule.kind=cosine"], []),
    ("schedule.gamma", "0.5", ["schedule.kind=cosine"], []),
    ("schedule.gamma", "0.5", ["schedule.milestones="], []),
    ("schedule.final_fraction", "0.5", [], ["schedule.kind=cosine"]),
    ("schedule.epochs", "3", ["schedule.steps=5"], []),
    ("run.val_every", "3", ["run.val_every_steps=5"], []),
]


@pytest.mark.parametrize(("name", "value", "idle", "acting"), CASES)
def test_a_setting_that_would_do_nothing_is_refused(tmp_path, name, value, idle, acting):
    assignment = f"{name}={value}"
    base = override(TrainConfig(), idle)
    with pytest.raises(UsageError, match=f"{name} does nothing without .*: leave it out"):
        changed(base, [assignment])
    with pytest.raises(UsageError, match=f"{name} does nothing"):
        changed(TrainConfig(), [assignment, *idle])  # whatever their order
    assert changed(TrainConfig(), [assignment, *acting]) == override(
        TrainConfig(), [assignment, *acting]
    )
    changed(override(TrainConfig(), [assignment, *idle]), ["run.seed=3"])  # inherited, not chosen

    sections: dict[str, dict[str, object]] = {}
    values = flatten(as_dict(override(base, [assignment])))
    for setting in (name, *(text.partition("=")[0] for text in idle)):
        section, _, key = setting.partition(".")
        sections.setdefault(section, {})[key] = values[setting]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(sections))
    with pytest.raises(UsageError, match=f"{name} does nothing"):
        load_recipe_file(path)


def test_every_setting_is_known_to_act_or_to_be_idle_somewhere():
    idle = {name for names in NEEDS.values() for name in names.split()}
    assert {case[0] for case in CASES} == idle
    assert idle | set(ALWAYS) == set(flatten(as_dict(TrainConfig())))
    assert not idle & set(ALWAYS)


@pytest.mark.parametrize("name", recipes())
def test_the_defaults_of_a_recipe_are_never_refused(tmp_path, name):
    config = load_recipe(name)
    assert changed(config, []) == config
    path = tmp_path / "mine.json"
    for content in ({"settings": as_dict(config)}, as_dict(config)):
        path.write_text(json.dumps(content))
        assert load_recipe_file(path) == config


def test_a_setting_that_is_given_twice_is_refused():
    with pytest.raises(UsageError, match=r"run\.seed is set twice"):
        changed(TrainConfig(), ["run.seed=1", "loss.kind=bce", " run.seed=1"])
