"""`bench compare`: what changed, what is noise, and when it fails."""

import copy
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.bootstrap import median_ratio_interval
from ritm_edge.benchmarks.compare import compare
from ritm_edge.benchmarks.results import read_results
from ritm_edge.cli.main import app
from ritm_edge.errors import RitmEdgeError, UsageError

from ..paths import ROOT
from .results_files import noc_document, noc_run, save

RESULTS = ROOT / "docs/results"


def invoke(*arguments: object):
    return CliRunner().invoke(app, ["bench", "compare", *(str(each) for each in arguments)])


def objects(ious: list[list[float]]) -> list[dict]:
    return [
        {"name": str(i), "ious": each, "clicks": [[1.0, 2.0, True]] * len(each), "seconds": 0.1}
        for i, each in enumerate(ious)
    ]


def noc(tmp_path, name: str, ious: list[list[float]], **changes):
    run = noc_run(per_object=objects(ious), objects=len(ious), **changes)
    return read_results(save(tmp_path / name, noc_document(run)))


def figures(result) -> dict[str, object]:
    return {each.figure: each for each in result.changes}


def test_clicks_are_compared_object_by_object(tmp_path):
    generator = np.random.default_rng(0)
    slow = [[0.5] * int(n) + [0.95] for n in generator.integers(2, 9, 40)]
    fast = [each[1:] for each in slow]
    found = figures(compare(noc(tmp_path, "a", slow), noc(tmp_path, "b", fast)))
    assert found["NoC20@90"].change == pytest.approx(-1)
    assert found["NoC20@90"].interval == (-1, -1)
    assert found["NoC20@90"].verdict == "better"
    back = figures(compare(noc(tmp_path, "a", fast), noc(tmp_path, "b", slow)))
    assert back["NoC20@90"].verdict == "worse"
    assert back["IoU@5"].verdict == "worse"
    one_of_many = [list(slow[0][1:]), *slow[1:]]
    noisy = figures(compare(noc(tmp_path, "a", slow), noc(tmp_path, "b", one_of_many)))
    assert noisy["NoC20@90"].verdict == "noise"
    same = figures(compare(noc(tmp_path, "a", slow), noc(tmp_path, "b", slow)))
    assert {each.verdict for each in same.values()} == {"same"}


def test_an_object_never_solved_counts_with_all_clicks(tmp_path):
    old, new = noc(tmp_path, "a", [[0.5] * 20]), noc(tmp_path, "b", [[0.95]])
    assert figures(compare(old, new))["NoC20@90"].change == -19


def test_what_the_files_do_not_share_is_said(tmp_path):
    old = noc(tmp_path, "a", [[0.95], [0.95]])
    new = noc(tmp_path, "b", [[0.95]], file="renamed.onnx")
    new = new.model_copy(
        update={
            "reports": [
                new.reports[0].model_copy(
                    update={"settings": new.reports[0].settings.model_copy(update={"flip": False})}
                )
            ]
        }
    )
    notes = compare(old, new).differences
    assert notes[0] == "model.onnx on GrabCut is compared with renamed.onnx on GrabCut"
    assert "flip was True and is False" in notes[1]
    assert "1 objects are in both files" in notes[2]


def latency(tmp_path, name, factor, *, size=(64, 64), ratios=None, seed=0):
    samples = np.random.default_rng(seed).normal(100, 3, 40) * factor
    row = {
        "path": f"out/{name}.onnx" if name == "other" else "out/model.onnx",
        "runtime": "onnx",
        "engine": None,
        "baseline": False,
        "median_ms": float(np.median(samples)),
        "p90_ms": 1.0,
        "ratio_to_pytorch": None,
        "cold_start_ms": 1.0,
        "peak_memory_bytes": 1,
        "file_bytes": 1000 * (1 + (factor > 2)),
        "is_device_time": True,
        "parity": None,
        "samples_ms": list(samples),
        "ratios": ratios,
    }
    document = {"size": list(size), "settings": {"runs": 40, "threads": 1}, "rows": [row]}
    return read_results(save(tmp_path / f"{name}.json", document))


def test_times_need_more_than_their_noise(tmp_path):
    old = latency(tmp_path, "a", 1)
    noise = figures(compare(old, latency(tmp_path, "b", 1, seed=1)))["median ms"]
    assert noise.verdict == "noise"
    slower = figures(compare(old, latency(tmp_path, "c", 1.2, seed=2)))["median ms"]
    assert slower.verdict == "worse"
    assert slower.interval[0] > 1
    assert slower.loss == pytest.approx(0.2, abs=0.05)


def test_ratios_to_pytorch_take_the_speed_of_the_machine_out(tmp_path):
    ratios = list(np.random.default_rng(3).normal(0.5, 0.01, 40))
    old = latency(tmp_path, "a", 1, ratios=ratios)
    new = latency(tmp_path, "b", 2, ratios=ratios[::-1])  # a machine half as fast
    change = figures(compare(old, new))["time to PyTorch's"]
    assert (change.change, change.verdict) == (1, "noise")


def test_the_interval_holds_the_ratio_of_the_medians():
    generator = np.random.default_rng(1)
    low, high = median_ratio_interval(generator.normal(50, 2, 60), generator.normal(75, 2, 60))
    assert low < 1.5 < high
    assert high - low < 0.1


def test_the_command_fails_beyond_the_tolerance_only(tmp_path):
    old = json.loads((RESULTS / "flops.json").read_text())
    new = copy.deepcopy(old)
    new["artifacts"][0]["flops"] += new["artifacts"][0]["flops"] // 100
    before, after = save(tmp_path / "a.json", old), save(tmp_path / "b.json", new)
    assert invoke(before, before).exit_code == 0
    failed = invoke(before, after)
    assert type(failed.exception) is RitmEdgeError
    assert failed.exception.exit_code == 1
    assert f"flops of {old['artifacts'][0]['file']} went from" in str(failed.exception)
    allowed = invoke(before, after, "--tolerance", "0.02", "--json")
    assert allowed.exit_code == 0
    document = json.loads(allowed.stdout)
    assert document["passed"]
    assert {each["verdict"] for each in document["changes"]} == {"same", "worse"}
    assert invoke(after, before).exit_code == 0, "fewer operations are no fault"


def test_a_failed_comparison_is_saved_too(tmp_path):
    old = json.loads((RESULTS / "flops.json").read_text())
    new = copy.deepcopy(old)
    new["models"][0]["flops"] += 1
    before, after = save(tmp_path / "a.json", old), save(tmp_path / "b.json", new)
    assert invoke(before, after, "-o", tmp_path / "out.json").exception is not None
    assert json.loads((tmp_path / "out.json").read_text())["passed"] is False


@pytest.mark.parametrize("second", ["latency.json", "fixed-size.json", "noc-lite0.json"])
def test_other_kinds_are_refused(second):
    for pair in (("flops.json", second), ("fixed-size.json", second)):
        done = invoke(*(RESULTS / each for each in pair))
        assert isinstance(done.exception, UsageError)
        assert "cannot be compared" in str(done.exception)


def test_results_without_anything_in_common_are_refused(tmp_path):
    old = noc(tmp_path, "a", [[0.95]], benchmark="GrabCut")
    with pytest.raises(UsageError, match="nothing in common"):
        compare(old, noc(tmp_path, "b", [[0.95]], benchmark="Berkeley"))


def test_another_size_is_refused(tmp_path):
    with pytest.raises(UsageError, match="the sizes differ \\(64x64, 96x64\\)"):
        compare(latency(tmp_path, "a", 1), latency(tmp_path, "b", 1, size=(96, 64)))
