"""Settings and recipes: refused by name where they cannot be trained with."""

import json

import pytest

from ritm_edge.errors import TrainingError, UsageError
from ritm_edge.model.ritm import build_model
from ritm_edge.train.config import AugmentationSettings, ModelSettings, TrainConfig
from ritm_edge.train.datasets import dataset_names
from ritm_edge.train.recipes import load_recipe, recipes
from ritm_edge.train.schedule import learning_rate_at, run_length
from ritm_edge.train.settings import as_dict, flatten, override

from .photos import small_config


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("augmentation.crop=31x64", "augmentation.crop is '31'"),
        ("augmentation.crop=64", "augmentation.crop has a wrong number of values"),
        ("data.batch_size=1", "data.batch_size is '1': it should be greater than or equal to 2"),
        ("data.batch_size=2.5", "data.batch_size is '2.5': it should be a valid integer"),
        ("schedule.epochs=0", "epochs and steps are both 0"),
        ("schedule.steps=-1", "schedule.steps is '-1'"),
        ("optimizer.lr=0", "optimizer.lr is '0'"),
        ("optimizer.lr=nan", "optimizer.lr is 'nan'"),
        ("optimizer.lr=inf", "optimizer.lr is 'inf'"),
        ("optimizer.lr=fast", "optimizer.lr is 'fast': it should be a valid number"),
        ("schedule.final_fraction=1.5", "schedule.final_fraction is '1.5'"),
        ("iterative.max_iterations=25", "25 does not fit into 24 slots"),
        ("model.prev_mask=false", "iterative.use_prev_mask is True but model.prev_mask is False"),
        ("run.compile=perhaps", "run.compile is 'perhaps': it should be a valid boolean"),
        ("loss.kind=hinge", "loss.kind is 'hinge': it should be 'nfl', 'bce'"),
        ("data.set_weights=a/masks:-1", "data.set_weights is '-1'"),
        ("data.set_weights=a/masks", "data.set_weights is 'a/masks'"),
        ("clicks.negative_places=0.5,0.5,0.5", "negative_places sum to 1.5"),
        ("optimizer.lrate=1", r"unknown setting 'optimizer.lrate': did you mean optimizer.lr?"),
        ("optimiser.lr=1", r"unknown setting 'optimiser': did you mean optimizer.lr?"),
        ("lr=1", "'lr=1' is not a setting: write SECTION.KEY=VALUE"),
        ("optimizer.lr", "'optimizer.lr' is not a setting"),
    ],
)
def test_what_cannot_be_set_is_refused_by_name(assignment, message):
    with pytest.raises(UsageError) as caught:
        override(TrainConfig(), [assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_becomes_values_of_the_right_type():
    changed = override(
        TrainConfig(),
        [
            "optimizer.lr=1e-3",
            "augmentation.crop=64x96",
            "schedule.milestones=1.5, 2",
            "data.datasets=sbd,folder",
            "data.set_weights=a/masks:0.25,b/masks:3",
            "run.compile=true",
        ],
    )
    assert changed.optimizer.lr == 0.001
    assert changed.augmentation.crop == (64, 96)
    assert changed.schedule.milestones == (1.5, 2.0)
    assert changed.data.datasets == ("sbd", "folder")
    assert changed.data.set_weights == {"a/masks": 0.25, "b/masks": 3.0}
    assert changed.run.compile is True
    unchanged = TrainConfig()
    assert flatten(as_dict(changed)).keys() == flatten(as_dict(unchanged)).keys()
    assert unchanged.optimizer.lr == 5e-4


def test_a_wrong_value_is_refused_where_it_is_made():
    with pytest.raises(UsageError, match="crop is 8"):
        AugmentationSettings(crop=(8, 64))
    with pytest.raises(UsageError, match="unknown setting 'nome': did you mean name"):
        ModelSettings(nome="hrnet18")  # type: ignore[call-arg]


def test_every_recipe_is_a_usable_configuration():
    assert {"hrnet18s-small-crops", "hrnet18s-larger-crops"} <= set(recipes())
    for name in recipes():
        config = load_recipe(name)
        assert recipes()[name].summary
        plain = json.loads(json.dumps(as_dict(config)))
        assert TrainConfig(**plain) == config
        weights = config.data.set_weights
        assert not weights or sum(weights.values()) == pytest.approx(1.0)


def test_an_unknown_recipe_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"'hrnet18s-smal-crop'.*hrnet18s-small-crops"):
        load_recipe("hrnet18s-smal-crop")


def test_the_rate_rises_then_falls_to_the_end():
    config = small_config(steps=100, warmup_steps=10, lr=1e-3, final_fraction=0.1)
    length = run_length(config, photos=20)
    rates = [learning_rate_at(step, config, length) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate_at(100, config, length) == pytest.approx(1e-4)
    # A run cut short with --steps stays inside the warm-up and still works.
    short = override(config, ["schedule.steps=5"])
    assert learning_rate_at(4, short, run_length(short, 20)) == pytest.approx(5e-4)


def test_the_published_rate_drops_at_its_epochs():
    config = TrainConfig()
    length = run_length(config, photos=320)
    assert (length.steps_per_epoch, length.steps) == (10, 550)
    rates = [learning_rate_at(step, config, length) for step in (0, 499, 500, 529, 530, 549)]
    assert rates == pytest.approx([5e-4, 5e-4, 5e-5, 5e-5, 5e-6, 5e-6])


def test_epochs_are_counted_in_whole_batches():
    drawn = small_config(steps=0, epochs=3, epoch_samples=101, batch_size=4)
    assert run_length(drawn, photos=7).steps == 75
    with pytest.raises(TrainingError, match="less than one batch of 4"):
        run_length(small_config(steps=0, epochs=3, batch_size=4), photos=3)


RUNS = [
    *(f"{model}-cocolvis-iterm" for model in ("hrnet18s", "hrnet18", "hrnet32")),
    "hrnet18-sbd-iterm",
    *(
        f"{model}-{data}-baseline"
        for model in ("hrnet18", "resnet34")
        for data in ("ade20k", "openimages", "sbd", "vocsbd", "lvis", "coco", "cocolvis")
    ),
    *(f"ablation-loss-{loss}" for loss in ("bce", "soft-iou", "focal", "nfl")),
    *(f"ablation-iterations-{n}-mask" for n in range(1, 7)),
    "ablation-iterations-3-nomask",
    *(
        f"{model}-{inputs}"
        for model in ("hrnet18", "resnet34")
        for inputs in (
            *("dmf-distance", "conv1e-distance", "conv1s-distance", "conv1s-disk3", "conv1s-disk5"),
        )
    ),
]


def test_every_run_of_the_paper_has_a_recipe():
    assert set(RUNS) <= set(recipes())
    for name in RUNS:
        config = load_recipe(name)
        assert config.augmentation.crop == (320, 480)
        assert config.data.batch_size == 32
        assert (config.optimizer.lr, config.optimizer.betas) == (5e-4, (0.9, 0.999))
        assert config.optimizer.backbone_lr_multiplier == 0.1
        assert set(config.data.datasets) <= set(dataset_names())
        first, second = (epoch / config.schedule.epochs for epoch in config.schedule.milestones)
        assert first == pytest.approx(50 / 55, abs=1e-3)
        assert second == pytest.approx(53 / 55, abs=1e-3)
        assert config.schedule.gamma == 0.1
        build_model(**as_dict(config.model))


def test_the_recipes_differ_where_the_paper_does():
    epochs = {"ade20k": 180, "openimages": 5, "sbd": 120, "vocsbd": 120}
    epochs |= {"lvis": 55, "coco": 40, "cocolvis": 55}
    for data, count in epochs.items():
        for model in ("hrnet18", "resnet34"):
            config = load_recipe(f"{model}-{data}-baseline")
            assert config.schedule.epochs == count
            assert config.iterative.max_iterations == 0
            assert not config.model.prev_mask
    main = load_recipe("hrnet18s-cocolvis-iterm")
    assert (main.iterative.max_iterations, main.model.prev_mask) == (3, True)
    assert main.schedule.milestones == (50.0, 53.0)
    kinds = {
        load_recipe(f"ablation-loss-{k}").loss.kind for k in ("bce", "soft-iou", "focal", "nfl")
    }
    assert kinds == {"bce", "soft_iou", "focal", "nfl"}
    for kind in kinds:
        config = load_recipe(f"ablation-loss-{kind.replace('_', '-')}")
        assert config.data.datasets == ("coco-lvis",)
        assert config.iterative.max_iterations == 0
    for count, name in ((3, "nomask"), *((count, "mask") for count in range(1, 7))):
        config = load_recipe(f"ablation-iterations-{count}-{name}")
        assert config.iterative.max_iterations == count
        assert config.model.prev_mask is config.iterative.use_prev_mask is (name == "mask")
    inputs = load_recipe("resnet34-conv1e-distance")
    assert (inputs.model.input_scheme, inputs.model.encoding) == ("conv1e", "distance")
    assert load_recipe("hrnet18-conv1s-disk3").model.radius == 3
    disks = load_recipe("hrnet18-conv1s-disk5")
    assert disks == load_recipe("hrnet18-sbd-baseline"), "Table 1's last row is Table 3's SBD"


def test_what_the_official_code_does_otherwise_is_an_option():
    official = load_recipe("hrnet18-cocolvis-iterm", as_implemented=True)
    assert official.data.epoch_samples == 30_000
    assert official.schedule.milestones == (200.0, 220.0)
    assert run_length(official, photos=99_000).steps_per_epoch == 1071
    with pytest.raises(UsageError, match="leave --as-implemented out"):
        load_recipe("hrnet18s-small-crops", as_implemented=True)
