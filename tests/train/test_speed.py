"""The training benchmark: what it reports belongs together."""

import json

import pytest
import typer
from typer.testing import CliRunner

from ritm_edge.cli.bench.train import command
from ritm_edge.train.speed import PHASES, measure_speed

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
    assert speed.step_rate == pytest.approx(2 / middle)
    ratios = sorted(each.step / each.data for each in speed.rounds)
    assert speed.ratio == pytest.approx(ratios[1])
    for each in speed.rounds:
        assert each.phases.keys() == set(PHASES)
        assert 0.5 * each.step < sum(each.phases.values()) <= each.step
    assert speed.together > 0
    assert 0 < speed.data_wait < 1  # without loading processes all loading is waiting


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
