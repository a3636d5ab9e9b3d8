"""`ritm-edge train` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from ritm_edge.cli.train import command
from ritm_edge.errors import InputFileError, TrainingError, UsageError
from ritm_edge.train.board import FOLDER
from ritm_edge.train.recipes import recipes
from ritm_edge.train.run_log import LOG
from ritm_edge.train.state import LAST_CHECKPOINT, WEIGHTS

app = typer.Typer()
app.command()(command)
SMALL = ["--crop", "32x32", "--batch-size", "2", "--steps", "3", "--threads", "1"]


def invoke(*arguments: object):
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_list_names_every_recipe():
    result = invoke("--list")
    assert result.exit_code == 0
    for name in recipes():
        assert name in result.output


@pytest.mark.usefixtures("tiny_networks")
def test_a_run_says_where_the_result_is_and_what_comes_next(photos, tmp_path):
    output = tmp_path / "run"
    result = invoke("--data", photos, "--output", output, *SMALL, "--seed", 5, "--lr", 0.002)
    assert result.exit_code == 0, result.output
    assert "step 3/3" in result.stderr
    assert "starts from scratch" in result.stderr
    assert f"ritm-edge export --checkpoint {output / WEIGHTS}" in result.stderr
    saved = torch.load(output / LAST_CHECKPOINT, weights_only=True)["training"]["config"]
    assert saved["augmentation"]["crop"] == [32, 32]
    assert saved["data"]["batch_size"] == 2
    assert saved["schedule"]["steps"] == 3
    assert saved["run"]["seed"] == 5
    assert saved["optimizer"]["lr"] == 0.002
    assert saved["data"]["set_weights"]  # from the default recipe
    assert [json.loads(r)["step"] for r in (output / LOG).read_text().splitlines()] == [3]

    with pytest.raises(TrainingError, match="--resume"):
        invoke("--data", photos, "--output", output, *SMALL)


def test_options_that_cannot_be_used(photos, tmp_path):
    with pytest.raises(UsageError, match="pass --data-root and --output"):
        invoke("--data", photos)
    with pytest.raises(UsageError, match="unknown recipe"):
        invoke("fast", "--data", photos, "--output", tmp_path)
    with pytest.raises(UsageError, match="crop has a wrong number"):
        invoke("--data", photos, "--output", tmp_path, "--crop", "64")
    with pytest.raises(UsageError, match=r"data\.batch_size is '1'"):
        invoke("--data", photos, "--output", tmp_path, "--batch-size", 1)
    assert invoke("--data", photos, "--output", tmp_path, "--workers", -1).exit_code == 2


RUN = """
import sys
import typer
from ritm_edge.cli.train import command
app = typer.Typer()
app.command()(command)
app(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_and_goes_on(photos, tmp_path, number):
    output = tmp_path / "run"
    arguments = ["--data", str(photos), "--output", str(output), "--crop", "32x32"]
    arguments += ["--batch-size", "2", "--steps", "100000", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        _wait_for(output / LOG, process)
        os.killpg(process.pid, number)  # as a terminal does: the data workers get it too
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert str(output / LAST_CHECKPOINT) in errors
    saved = torch.load(output / LAST_CHECKPOINT, weights_only=True)
    done = saved["training"]["step"]
    assert f"after step {done} of 100000" in errors
    assert sorted(p.name for p in output.iterdir()) == [LAST_CHECKPOINT, LOG, FOLDER, WEIGHTS]


def _wait_for(log: Path, process: subprocess.Popen) -> None:
    """Until the first row is written: the run is in its loop."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(process.stderr.read())
        if log.exists() and log.stat().st_size:
            return
        time.sleep(0.1)
    raise AssertionError("no training step within 90 s")


@pytest.mark.usefixtures("tiny_networks")
def test_a_dry_run_shows_settings_data_and_steps(photos, tmp_path):
    arguments = ["--data-root", photos, "--set", "schedule.steps=0", "--set", "schedule.epochs=7"]
    result = invoke("hrnet18s-small-crops", *arguments, "--batch-size", 2, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert plan["data"] == {"shapes/masks": 4}
    assert (plan["photos"], plan["steps_per_epoch"], plan["steps"]) == (4, 2, 14)
    assert plan["settings"]["schedule"]["epochs"] == 7
    shown = invoke(*arguments, "--batch-size", 2, "--dry-run").stdout
    assert "optimizer.lr" in shown
    assert "shapes/masks" in shown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


@pytest.mark.usefixtures("tiny_networks")
def test_what_is_left_out_is_named_in_a_dry_run_and_in_the_log(photos, tmp_path):
    (photos / "shapes" / "masks" / "3.png").rename(photos / "shapes" / "masks" / "other.png")
    run = ["--data-root", photos, *SMALL]
    plan = json.loads(invoke(*run, "--dry-run", "--json").stdout)
    assert plan["photos"] == 3
    (text,) = plan["left_out"]
    assert text.startswith("2 files are left out: ")
    assert "3.png has no mask" in text
    assert "other.png has no photo" in text
    assert text in invoke(*run, "--dry-run").stderr
    result = invoke(*run, "--output", tmp_path / "run", "--steps", 1, "--workers", 0)
    assert text in result.stderr
    (row,) = (tmp_path / "run" / "broken.jsonl").read_text().splitlines()
    assert json.loads(row) == {"image": str(photos), "problem": text, "used": True}


def test_settings_are_refused_by_name(photos, tmp_path):
    run = ["--data-root", photos, "--output", tmp_path / "run"]
    with pytest.raises(UsageError, match=r"unknown setting 'optimizer\.rate'"):
        invoke(*run, "--set", "optimizer.rate=1")
    with pytest.raises(UsageError, match=r"run\.seed is 'first'"):
        invoke(*run, "--set", "run.seed=first")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny_networks")
def test_a_dry_run_can_be_trained_from_as_a_file(photos, tmp_path):
    mine = tmp_path / "mine.json"
    run = ["--data-root", photos, *SMALL]
    mine.write_text(invoke(*run, "--seed", 9, "--dry-run", "--json").stdout)
    again = json.loads(invoke(mine, "--data-root", photos, "--dry-run", "--json").stdout)
    assert again["settings"] == json.loads(mine.read_text())["settings"]
    assert again["settings"]["run"]["seed"] == 9
    mine.write_text('{"optimizer": {"lr": "fast"}}')
    with pytest.raises(UsageError, match=r"optimizer\.lr is 'fast'"):
        invoke(mine, "--data-root", photos, "--dry-run")
    for text in ("", "[1]", '{"settings": 3}', "[" * 100_000):
        mine.write_text(text)
        with pytest.raises(InputFileError, match=r"mine\.json"):
            invoke(mine, "--data-root", photos, "--dry-run")
