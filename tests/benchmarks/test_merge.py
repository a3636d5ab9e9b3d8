"""`bench noc --shard` and `bench merge`: the parts together are the whole."""

import copy
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ritm_edge import default_checkpoint
from ritm_edge.cli.main import app
from ritm_edge.errors import InputFileError, UsageError

from ..paths import ROOT
from .results_files import save
from .test_noc import grabcut


def invoke(*arguments: object):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run over four of five objects, and the same in three shards."""
    folder = tmp_path_factory.mktemp("shards")
    data = grabcut.__wrapped__(folder)
    files: dict[str, Path] = {}
    for name, more in (("whole", []), *((f"{i}", ["--shard", f"{i}/3"]) for i in (1, 2, 3))):
        files[name] = folder / f"{name}.json"
        line = ["bench", "noc", default_checkpoint(), "--data", f"GrabCut={data}", "--limit", "4"]
        line += ["--max-clicks", "2", "--no-flip", "-o", files[name], *more]
        done = invoke(*line)
        assert done.exit_code == 0, done.output
    return files


def without_times(report: dict) -> dict:
    objects = [{**each, "seconds": 0, "peak_memory_bytes": 0} for each in report["per_object"]]
    unequal = {"seconds_per_click": 0, "peak_memory_bytes": 0}
    return {**report, **unequal, "per_object": objects}


def test_the_parts_together_are_the_whole(measured: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "merged.json"
    done = invoke("bench", "merge", measured["3"], measured["1"], measured["2"], "-o", output)
    assert done.exit_code == 0, done.output
    whole, merged = (json.loads(path.read_text()) for path in (measured["whole"], output))
    (wanted,), (got,) = whole.pop("reports"), merged.pop("reports")
    assert without_times(got) == without_times(wanted)
    assert [each["name"] for each in got["per_object"]] == ["0", "1", "2", "3"]
    assert merged["versions"] == whole["versions"]
    assert merged["machine"]["cpu"] == whole["machine"]["cpu"]
    part = json.loads(measured["2"].read_text())["reports"][0]
    assert (part["shard"], part["objects"]) == ([2, 3], 1)


def test_a_result_without_a_shard_is_not_merged(measured: dict[str, Path], tmp_path: Path) -> None:
    done = invoke("bench", "merge", measured["whole"], measured["1"], "-o", tmp_path / "a.json")
    assert isinstance(done.exception, UsageError)
    assert "is not of a shard" in str(done.exception)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["versions"].update(onnxruntime="9"), "the same versions"),
        (lambda d: d["reports"][0].update(sha256="other"), "not of one run (sha256 "),
        (lambda d: d["reports"][0].update(benchmark="Berkeley"), "not of one run (benchmark "),
        (lambda d: d["reports"][0]["settings"].update(flip=True), "not of one run (flip "),
        (lambda d: d["reports"][0].update(shard=[1, 3]), "is there twice"),
        (lambda d: d["reports"][0].update(shard=[2, 4]), "not of one run (number of shards "),
        (lambda d: d["reports"][0].update(shard=[0, 3]), "is not of a shard"),
        (lambda d: d["reports"].append(d["reports"][0]), "has 1 rows and"),
        (lambda d: d["reports"][0]["per_object"].extend(d["reports"][0]["per_object"] * 2), "3"),
        (lambda d: d["reports"][0]["per_object"][0]["ious"].append(0.5), "as many clicks as IoUs"),
    ],
)
def test_what_does_not_belong_together_is_refused(measured, tmp_path, change, message):
    document = json.loads(measured["2"].read_text())
    change(document)
    other = save(tmp_path / "other.json", copy.deepcopy(document))
    output = tmp_path / "merged.json"
    done = invoke("bench", "merge", measured["1"], other, measured["3"], "-o", output)
    assert isinstance(done.exception, UsageError), done.exception
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not output.exists()


def test_a_missing_shard_and_another_kind_are_named(measured, tmp_path):
    done = invoke("bench", "merge", measured["1"], "-o", tmp_path / "a.json")
    assert "of 3 shards 2, 3 are missing" in str(done.exception)
    flops = ROOT / "docs/results/flops.json"
    done = invoke("bench", "merge", flops, "-o", tmp_path / "a.json")
    assert isinstance(done.exception, InputFileError)
    assert "is not of bench noc" in str(done.exception)


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/3", "3", "1/", "-1/3", "1/3/4", "²/3"])
def test_a_shard_that_is_none_is_refused(text):
    done = invoke("bench", "noc", "--data", "GrabCut=missing", "--shard", text)
    assert isinstance(done.exception, UsageError)
    assert f"'{text}' is not a shard" in str(done.exception)


def test_an_empty_shard_is_refused(measured):
    data = measured["whole"].parent / "GrabCut"
    line = ("bench", "noc", default_checkpoint(), "--data", f"GrabCut={data}", "--shard", "6/6")
    done = invoke(*line)
    assert isinstance(done.exception, UsageError)
    assert "shard 6/6 of 5 objects is empty" in str(done.exception)
