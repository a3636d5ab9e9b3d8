"""The picture of a run, from logs of several phases."""

import json
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from ritm_edge.cli.bench.curve import command
from ritm_edge.errors import InputFileError, UsageError
from ritm_edge.train.curve import draw_curves, read_curves
from ritm_edge.train.run_log import LOG

app = typer.Typer()
app.command()(command)


def write_log(folder: Path, steps: range, *, noc: float | None = None) -> Path:
    folder.mkdir()
    rows = [{"step": step, "loss": 1 / step, "iou": 1 - 1 / step} for step in steps]
    if noc is not None:
        validation = {"GrabCut": {"noc@80": noc - 2, "noc@90": noc}}
        rows.append({"step": steps[-1], "validation": validation, "seconds": 3.0})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / LOG).write_text(text + '{"step": 99, "lo')
    return folder


def test_legs_follow_each_other(tmp_path):
    first = write_log(tmp_path / "a", range(20, 101, 20), noc=15.0)
    second = write_log(tmp_path / "b", range(20, 61, 20), noc=9.5)
    report = tmp_path / "noc.json"
    summaries = [{"iou": 0.85, "mean": 10.0}, {"iou": 0.9, "mean": 12.0}]
    other = {"benchmark": "GrabCut", "noc": [{"iou": 0.9, "mean": 17.0}]}
    reports = [{"benchmark": "GrabCut", "noc": summaries}, other]
    report.write_text(json.dumps({"reports": reports}))
    curves = read_curves([first, second / LOG], {120: report})
    assert [step for step, _ in curves.loss] == [20, 40, 60, 80, 100, 120, 140, 160]
    assert curves.loss[0] == (20, 0.05)
    assert curves.loss[5] == (120, 0.05)
    assert curves.iou[-1] == (160, 1 - 1 / 60)
    assert curves.noc == {"GrabCut": [(100, 15.0), (120, 12.0), (160, 9.5)]}
    assert curves.ends == [100]


def test_the_command_draws_a_picture(tmp_path):
    run = write_log(tmp_path / "a", range(20, 101, 20), noc=15.0)
    picture = tmp_path / "out" / "curve.png"
    done = CliRunner().invoke(app, [str(run), "-o", str(picture)], catch_exceptions=False)
    assert done.exit_code == 0
    pixels = cv2.imread(str(picture))
    assert pixels.shape[0] > 500
    blue = (pixels[..., 0] > 150) & (pixels[..., 2] < 80)
    assert blue.sum() > 200, "no curve was drawn"


def test_what_cannot_be_drawn(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        read_curves([tmp_path / LOG])
    (tmp_path / LOG).write_text("nothing\n")
    with pytest.raises(InputFileError, match="no rows"):
        read_curves([tmp_path])
    (tmp_path / LOG).write_text('{"step": 3}\n')
    with pytest.raises(InputFileError, match="no loss"):
        read_curves([tmp_path])
    run = write_log(tmp_path / "a", range(20, 41, 20))
    (tmp_path / "bad.json").write_text("[3]")
    with pytest.raises(InputFileError, match="not a result of bench noc"):
        read_curves([run], {20: tmp_path / "bad.json"})
    with pytest.raises(UsageError, match=r"end its name in \.png"):
        draw_curves(read_curves([run]), tmp_path / "curve.gif")
    with pytest.raises(UsageError, match="STEP=FILE"):
        CliRunner().invoke(app, [str(run), "--noc", "x=1"], catch_exceptions=False)
