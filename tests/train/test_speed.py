"""The training benchmark: what it reports belongs together."""

import json

import pytest
import typer
from typer.testing import CliRunner

from ritm_edge.cli.bench.train import command
from ritm_edge.errors import UsageError
from ritm_edge.train.depthwise import FastDepthwise
from ritm_edge.train.speed import PHASES, measure_speed
from ritm_edge.train.step import Trainer

from .photos import small_config

pytestmark = pytest.mark.usefixtures("tiny_networks")


def test_rates_are_those_of_the_rounds_and_phases_make_up_the_step(photos):
    seen = []
    speed = measure_speed(
        small_config(steps=100),
        data=photos,
        rounds=3,
        workers=0,
        device="cpu",
        progress=lambda done, rounds: seen.append((done, rounds)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    middle = sorted(each.step for each in speed.rounds)[1]
    values = speed.as_dict()
    assert values["step_images_per_second"] == pytest.approx(2 / middle, abs=1e-3)
    ratios = sorted(each.step / each.data for each in speed.rounds)
    assert values["data_to_step_ratio"] == pytest.approx(ratios[1], abs=1e-3)
    for each in speed.rounds:
        assert each.phases.keys() == set(PHASES)
        assert 0.5 * each.step < sum(each.phases.values()) <= each.step
        # Forward, backward and the mean number of corrections, without clicks and optimiser.
        bare = each.phases["forward"] + each.phases["backward"]
        assert bare < each.network < bare + 1.5 * 3 * each.phases["forward"] + each.step
        assert each.plain == 0
    assert speed.together > 0
    expected = speed.together / values["network_images_per_second"]
    assert values["together_to_network_ratio"] == pytest.approx(expected, abs=1e-3)
    assert 0 < speed.data_wait < 1  # without loading processes all loading is waiting


def test_the_device_path_is_measured_as_well(photos):
    changes = {"run.batches": "device", "augmentation.kind": "windows", "cache": "device"}
    config = small_config(**{**changes, "steps": 100, "crop": (64, 64)})
    speed = measure_speed(config, data=photos, rounds=1, steps=2, workers=1, device="cpu")
    values = speed.as_dict()
    assert values["seconds_per_step"]["batch"] > 0
    assert values["network_images_per_second"] > values["step_images_per_second"] * 0.2


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_plain_depthwise_gradients_are_measured_in_turns(photos, device, monkeypatch):
    config = small_config(**{"model.name": "lite0", "steps": 100, "crop": (64, 64)})
    options = {"data": photos, "rounds": 1, "steps": 1, "workers": 0, "device": device}
    if device == "cuda":
        with pytest.raises(UsageError, match="on CPUs"):
            measure_speed(config, **options, plain_depthwise=True)
        return
    kinds = []
    real = Trainer.step

    def watched(self, *arguments, **given):
        kinds.append(any(type(module) is FastDepthwise for module in self.model.modules()))
        return real(self, *arguments, **given)

    monkeypatch.setattr(Trainer, "step", watched)
    speed = measure_speed(config, **options, plain_depthwise=True)
    assert kinds == [True, True, True, False, True]  # two to warm up, the pair, both at once
    (only,) = speed.rounds
    ratio = speed.as_dict()["plain_depthwise_step_ratio"]
    assert ratio == pytest.approx(only.plain / only.step, abs=1e-3)


def test_the_command_saves_what_it_shows(photos, tmp_path):
    app = typer.Typer()
    app.command()(command)
    report = tmp_path / "speed.json"
    changes = ("data.batch_size=2", "augmentation.crop=32x32", "data.min_object_pixels=20")
    arguments = ["--data", photos, "--rounds", 2, "--workers", 0, "-o", report, "--json"]
    arguments += [part for change in changes for part in ("--set", change)]
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    values = json.loads(report.read_text())
    assert json.loads(done.stdout) == values
    assert values["settings"]["crop"] == [32, 32]
    assert len(values["rounds"]) == 2
    assert sum(values["share_of_step"].values()) == pytest.approx(1, abs=1e-3)
    assert values["machine"]["cores"] >= 1
