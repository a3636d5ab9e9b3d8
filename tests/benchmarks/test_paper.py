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
from ritm_edge.train.recipes import recipes
from ritm_edge.weights.published import PUBLISHED

from ..core.blob_runtime import BlobRuntime
from ..paths import ROOT, WHOLE_GOLDEN
from .results_files import noc_document, noc_run, save

PAPER = WHOLE_GOLDEN.parent / "paper_tables.json"
NOC90 = noc_run()["noc"][2]
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
    row = row_of(table, f"{PUBLISHED_H18S}.pth")
    assert row[table.header.index("GrabCut NoC20@90")] == "8.15 / 1.68"
    assert row[table.header.index("DAVIS NoC20@90")] == "— / 5.98"
    assert len(table.rows) == 20
    assert not any(each.is_empty for each in tables.values())


def test_an_unknown_model_gets_a_row_of_its_own_and_recipes_fill_ablations(tmp_path):
    tables = tables_of(tmp_path, noc_run("mine.onnx"), noc_run("ablation-loss-bce.onnx"))
    assert row_of(tables[7], "mine.onnx")[2:4] == ("8.10 / —", "8.15 / —")
    assert row_of(tables[2], "ablation-loss-bce.onnx")[2] == "8.15 / 1.82"
    assert row_of(tables[2], "ablation_loss_nfl")[2] == "— / 1.70"


def test_refined_runs_and_classical_methods_have_their_cells(tmp_path):
    name = "hrnet18-conv1s-disk5.pth"
    runs = [
        noc_run(name, "Berkeley"),
        noc_run(f"{name} f-brs-b", "Berkeley", noc=[{**NOC90, "mean": 3.0}]),
        noc_run("graph-cut"),
    ]
    tables = tables_of(tmp_path, *runs)
    assert row_of(tables[1], "HRNet-18, Conv1S, Disk5")[2:4] == ("8.15 / 3.52", "3.00 / 3.50")
    assert row_of(tables[7], "graph-cut")[2:4] == ("8.10 / 7.98", "8.15 / 10.00")


def test_convergence_counts_the_unsolved(tmp_path):
    hundred = {**NOC90, "name": "NoC100@90", "max_clicks": 100, "mean": 7.0, "never_reached": 0}
    table = tables_of(tmp_path, noc_run("sbd_h18_itermask.pth", "DAVIS", noc=[NOC90, hundred]))[5]
    row = row_of(table, "DAVIS, HRNet-18 ITER-M")
    assert row[2:] == ("1 / 57", "0 / 44", "7.00 / 18.42")
    assert row_of(table, "DAVIS, BRS")[1:] == ("—", "— / 77", "— / 51", "— / 20.98")


@pytest.mark.skipif(not PAPER.exists(), reason="the transcribed tables lie outside the repository")
def test_every_published_cell_is_the_papers():
    paper = json.loads(PAPER.read_text())
    for table in published()["tables"]:
        theirs = paper[f"table_{table['table']}"]
        assert len(table["rows"]) == len(theirs["rows"])
        for row, expected in zip(table["rows"], theirs["rows"], strict=True):
            count = len(theirs["columns"])  # Table 7 has one of the authors' repository beside them
            assert row["values"][:count] == expected["values"], row["name"]
    flops = [[r["parameters"] / 1e6, r["flops"] / 1e9] for r in published()["flops"]["rows"]]
    assert flops == [pytest.approx(row["values"]) for row in paper["table_4"]["rows"]]


def test_every_row_of_the_authors_is_a_recipe_or_a_checkpoint():
    known = {name.replace("-", "_") for name in recipes()} | {each.name for each in PUBLISHED}
    known |= {"graph_cut", "random_walker"}
    for table in published()["tables"]:
        for row in table["rows"]:
            assert set(row["labels"]) <= known
            trained = table["table"] < 7 or row["name"].startswith("Ours")
            quoted = table["table"] == 5 and "BRS" in row["name"]
            if trained and not quoted:
                assert any(label.replace("_", "-") in recipes() for label in row["labels"])


def test_a_row_can_be_named_and_pytorch_goes_before_exports(tmp_path):
    run = noc_run("run7.onnx")
    named = tables_of(tmp_path, run, rows={PUBLISHED_H18S: "run7.onnx"})[7]
    assert row_of(named, "run7.onnx")[3] == "8.15 / 1.68"
    reference = noc_run(f"{PUBLISHED_H18S}.pth", runtime="pytorch")
    reference["noc"][2]["mean"] = 1.68
    table = tables_of(tmp_path, noc_run(f"{PUBLISHED_H18S}.onnx"), reference)[7]
    assert row_of(table, f"{PUBLISHED_H18S}.pth")[3] == "1.68 / 1.68"


def test_part_of_a_benchmark_is_not_compared(tmp_path):
    table = tables_of(tmp_path, noc_run(f"{PUBLISHED_H18S}.pth", objects_in_benchmark=50))[7]
    assert row_of(table, f"{PUBLISHED_H18S}.pth")[3] == "— / 1.68"


def test_the_data_file_names_known_checkpoints_and_sources():
    values = published()
    table = values["tables"][-1]
    labels = {label for row in table["rows"] for label in row["labels"]}
    assert {each.name for each in PUBLISHED} <= labels
    for table in values["tables"]:
        for row in table["rows"]:
            assert len(row["values"]) == len(table["columns"])


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
    assert tables[3]["rows"][4] == ["deeplab_r50", "31.41 M", "31.40 M", "170.13", "170.13"]
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
