"""The paper's tables and figures from small results."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.paper.curves import curve_of
from ritm_edge.benchmarks.paper.gallery import (
    draw_gallery,
    scripted_steps,
    simulated_steps,
)
from ritm_edge.benchmarks.paper.tables import as_markdown, paper_tables, row_name
from ritm_edge.benchmarks.published import published
from ritm_edge.benchmarks.results import NocRun, read_results
from ritm_edge.cli.main import app
from ritm_edge.clicks import Click
from ritm_edge.errors import UsageError
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.weights.published import PUBLISHED

from ..core.blob_runtime import BlobRuntime
from ..paths import ROOT
from .results_files import noc_document, noc_run, save

PUBLISHED_H18S = "coco_lvis_h18s_itermask"


def tables_of(tmp_path, *runs, rows=None):
    results = [read_results(save(tmp_path / "noc.json", noc_document(*runs)))]
    return {table.number: table for table in paper_tables(results, rows or {})}


def row_of(table, name):
    return next(row for row in table.rows if name in row)


def test_measured_stands_beside_published(tmp_path):
    tables = tables_of(tmp_path, noc_run(f"{PUBLISHED_H18S}.pth"))
    assert sorted(tables) == [1, 2, 3, 4, 5, 6, 7]
    table = tables[7]
    row = row_of(table, PUBLISHED_H18S)
    assert row[table.header.index("GrabCut NoC20@90")] == "8.15 / 1.68"
    assert row[table.header.index("DAVIS NoC20@90")] == "— / 5.98"
    assert len(table.rows) == len(published()["noc"]["rows"])
    assert tables[1].is_empty
    assert not table.is_empty


def test_an_unknown_model_gets_a_row_of_its_own_and_recipes_fill_ablations(tmp_path):
    tables = tables_of(tmp_path, noc_run("mine.onnx"), noc_run("ablation-loss-bce.onnx"))
    assert row_of(tables[7], "mine.onnx")[2:4] == ("8.10 / —", "8.15 / —")
    assert row_of(tables[2], "ablation_loss_bce")[3] == "8.15"
    assert row_of(tables[2], "ablation_loss_nfl")[3] == "—"


def test_a_row_can_be_named_and_pytorch_goes_before_exports(tmp_path):
    run = noc_run("run7.onnx")
    assert row_of(tables_of(tmp_path, run, rows={PUBLISHED_H18S: "run7.onnx"})[7], PUBLISHED_H18S)[
        3
    ].startswith("8.15")
    reference = noc_run(f"{PUBLISHED_H18S}.pth", runtime="pytorch")
    reference["noc"][2]["mean"] = 1.68
    table = tables_of(tmp_path, noc_run(f"{PUBLISHED_H18S}.onnx"), reference)[7]
    assert row_of(table, PUBLISHED_H18S)[3] == "1.68 / 1.68"


def test_part_of_a_benchmark_is_not_compared(tmp_path):
    table = tables_of(tmp_path, noc_run(f"{PUBLISHED_H18S}.pth", objects_in_benchmark=50))[7]
    assert row_of(table, PUBLISHED_H18S)[3] == "— / 1.68"


def test_the_data_file_names_known_checkpoints_and_sources():
    values = published()
    assert {r["checkpoint"] for r in values["noc"]["rows"]} == {each.name for each in PUBLISHED}
    for part in ("noc", "flops"):
        assert values[part]["source"] in values["sources"]
    for row in values["noc"]["rows"]:
        assert len(row["values"]) == len(values["noc"]["columns"])


def test_hostile_labels_stay_text(tmp_path):
    text = as_markdown(list(tables_of(tmp_path, noc_run("a|b\n<script>")).values()))
    assert "<script>" not in text
    assert "a\\|b &lt;script>" in text
    assert row_name("Some-Model-dynamic.onnx") == "some_model"


def test_curves_keep_the_last_iou_of_objects_that_stopped():
    curve = curve_of(NocRun.model_validate(noc_run()))
    assert curve.means == pytest.approx((0.35, 0.625, 0.95))
    assert curve.stopped == 3


TRUTH = np.zeros((60, 80), np.int32)
TRUTH[20:50, 20:60] = 1


def test_sessions_become_pictures(tmp_path):
    image = np.full((60, 80, 3), 90, np.uint8)
    runtime = BlobRuntime()
    sample = SimpleNamespace(name="", load=lambda: (image, TRUTH))
    steps = simulated_steps(runtime, sample, clicks=2)
    assert [step.caption.split(":")[0] for step in steps] == ["true object", "1", "2"]
    assert not np.array_equal(steps[1].picture, steps[2].picture)
    corrected = simulated_steps(runtime, sample, clicks=1, start_iou=0.75)
    assert corrected[0].caption.startswith("external mask: ")
    scripted = scripted_steps(InteractiveSession(runtime), image, [Click(30, 40)])
    assert np.array_equal(scripted[0].picture, image)
    draw_gallery([steps, corrected], tmp_path / "gallery.png")
    drawn = cv2.imread(str(tmp_path / "gallery.png"))
    assert drawn.shape[1] > drawn.shape[0] > 100


def test_command_line(tmp_path):
    noc = save(tmp_path / "noc.json", noc_document(noc_run("$x^ & <b>.onnx")))
    out = tmp_path / "paper"
    arguments = ["bench", "paper", str(noc), str(ROOT / "docs/results/flops.json")]
    done = CliRunner().invoke(app, [*arguments, "--no-gallery", "--json", "-o", str(out)])
    assert done.exit_code == 0, done.output
    tables = json.loads(done.stdout)
    assert [table["table"] for table in tables] == [1, 2, 3, 4, 5, 6, 7]
    assert tables[3]["rows"][4] == ["deeplab_r50", "31.41 M", "—", "170.13", "170.13"]
    assert tables[3]["rows"][0] == ["hrnet18s", "4.22 M", "4.22 M", "17.84", "17.84"]
    assert json.loads((out / "tables.json").read_text()) == tables
    assert cv2.imread(str(out / "mean-iou.png")) is not None
    assert "<b>" not in (out / "mean-iou.svg").read_text()
    assert sorted(path.name for path in out.iterdir()) == [
        "mean-iou.png",
        "mean-iou.svg",
        "tables.json",
        "tables.md",
    ]


def test_wrong_arguments():
    for arguments, message in (
        (["--no-gallery"], "nothing to do"),
        (["--row", "x"], "not NAME=LABEL"),
    ):
        with pytest.raises(UsageError, match=message):
            CliRunner().invoke(app, ["bench", "paper", *arguments], catch_exceptions=False)
