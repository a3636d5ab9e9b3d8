"""`bench frontier`: clicks and times of the same files, and which of them are best."""

import itertools
import json

import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.frontier import frontier, frontier_table
from ritm_edge.benchmarks.results import read_results
from ritm_edge.cli.main import app
from ritm_edge.errors import UsageError

from .results_files import noc_document, noc_run, save
from .test_compare import latency


def clicks(tmp_path, **files: float):
    runs = []
    for (name, noc), flip in itertools.product(files.items(), (False, True)):
        run = noc_run(f"{name}.onnx", sha256=name)
        run["settings"] |= {"protocol": "app", "flip": flip}
        run["noc"][2]["mean"] = noc - flip * 0.5
        runs.append(run)
    return save(tmp_path / "noc.json", noc_document(*runs))


def times(tmp_path, **files: float):
    latency(tmp_path, "row", 1)
    document = json.loads((tmp_path / "row.json").read_text())
    (row,) = document["rows"]
    document["rows"] = [{**row, "sha256": k, "median_ms": v} for k, v in files.items()]
    document["machine"] = {"cpu": "Test CPU"}
    return save(tmp_path / "latency.json", document)


def test_the_best_are_those_that_nothing_beats(tmp_path):
    noc = clicks(tmp_path, small=4.0, good=3.0, bad=5.0, untimed=1.0)
    latency_file = times(tmp_path, small=10.0, good=40.0, bad=30.0, other=1.0)
    points = frontier([read_results(noc), read_results(latency_file)])
    assert len(points) == 6
    best = [(p.file, p.flip, p.noc, p.ms_per_click, p.ms_to_mask) for p in points if p.best]
    assert best == [
        ("small.onnx", False, 4.0, 10.0, 40.0),
        ("small.onnx", True, 3.5, 20.0, 70.0),
        ("good.onnx", False, 3.0, 40.0, 120.0),
        ("good.onnx", True, 2.5, 80.0, 200.0),
    ]
    assert points[0].mean_ious == pytest.approx((0.35, 0.95, 0.95))  # None ends the other


def test_of_two_equal_ones_both_are_best(tmp_path):
    noc, latency_file = clicks(tmp_path, a=4.0, b=4.0), times(tmp_path, a=10.0, b=10.0)
    points = frontier([read_results(noc), read_results(latency_file)])
    assert [p.file for p in points if p.best and not p.flip] == ["a.onnx", "b.onnx"]


def test_the_command_saves_draws_and_prints(tmp_path):
    noc, latency_file = clicks(tmp_path, a=4.0, b=6.0), times(tmp_path, a=10.0, b=30.0)
    output, plot = tmp_path / "frontier.json", tmp_path / "frontier.png"
    line = ("bench", "frontier", noc, latency_file, "-o", output, "--plot", plot)
    done = CliRunner().invoke(app, [str(each) for each in line])
    assert done.exit_code == 0, done.output
    assert "2 of 4 combinations are beaten by no other" in done.output
    assert plot.read_bytes().startswith(b"\x89PNG")
    document = json.loads(output.read_text())
    assert document["kind"] == "ritm-edge frontier"
    table = frontier_table(document["points"])
    assert "| GrabCut | hrnet18s | any | fp32 | onnx | no | 4.00 |" in table
    assert "2 of 4 combinations" in table
    assert "Test CPU" in table


def test_what_gives_no_point_is_refused(tmp_path):
    noc, latency_file = clicks(tmp_path, a=4.0), times(tmp_path, b=10.0)
    with pytest.raises(UsageError, match="no file has both"):
        frontier([read_results(noc), read_results(latency_file)])
    published = save(tmp_path / "published.json", noc_document(noc_run(sha256="b")))
    with pytest.raises(UsageError, match="the published protocol"):
        frontier([read_results(published), read_results(latency_file)])
    run = noc_run(sha256="b")
    run["settings"]["protocol"] = "app"
    run["noc"] = run["noc"][:2]
    lenient = save(tmp_path / "lenient.json", noc_document(run))
    with pytest.raises(UsageError, match="no NoC20@90"):
        frontier([read_results(lenient), read_results(latency_file)])
