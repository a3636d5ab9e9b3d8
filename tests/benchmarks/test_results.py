"""Results files are read back as they were written, and hostile ones are refused in a sentence."""

import copy
import json

import pytest

from ritm_edge.benchmarks.results import (
    FitResults,
    FlopsResults,
    LatencyResults,
    NocResults,
    read_results,
)
from ritm_edge.errors import InputFileError

from ..paths import ROOT
from .results_files import noc_document, save


def test_the_committed_measurements_are_read():
    folder = ROOT / "docs/results"
    for name, kind in (
        ("noc-lite0", NocResults),
        ("latency", LatencyResults),
        ("flops", FlopsResults),
        ("fixed-size", FitResults),
    ):
        assert isinstance(read_results(folder / f"{name}.json"), kind)


def test_values_come_back(tmp_path):
    results = read_results(save(tmp_path / "noc.json", noc_document()))
    (run,) = results.reports
    assert (run.file, run.noc[2].mean, run.settings.flip) == ("model.onnx", 8.15, True)
    assert run.per_object[1].ious == [0.2, 0.3, None]
    assert results.machine.cpu == "Test CPU"


def wrong(change):
    document = copy.deepcopy(noc_document())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"text"',
        "{}",
        '{"kind": ["a"]}',
        '{"kind": "ritm-edge noc"}',
        '{"rows": 3}',
        "[" * 10**6,
        "\x00\xff",
        wrong(lambda d: d.pop("reports")),
        wrong(lambda d: d["reports"][0].update(file={"a": 1})),
        wrong(lambda d: d["reports"][0].update(seconds_per_click="1")),
        wrong(lambda d: d["reports"][0]["noc"][0].update(mean=float("nan"))),
        wrong(lambda d: d["reports"][0]["noc"][0].update(interval=[1.0])),
        wrong(lambda d: d["reports"][0]["per_object"][0].update(ious=[2.0])),
        wrong(lambda d: d["reports"][0]["settings"].update(max_clicks=10**9)),
        wrong(lambda d: d["versions"].update(python=3)),
    ],
)
def test_anything_else_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError) as caught:
        read_results(path)
    assert "odd.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        read_results(tmp_path / "none.json")
    with pytest.raises(InputFileError, match="is a folder"):
        read_results(tmp_path)


def test_the_committed_run_in_a_browser_equals_the_one_here():
    """`make on-browser`: the same clicks, IoUs to 0.001, and parity with PyTorch."""
    folder = ROOT / "docs/results"
    here, there = (read_results(folder / f"browser-noc{on}.json").reports[0] for on in ("", "-on"))
    assert here.device is None
    assert there.device.place == "browser"
    assert here.sha256 == there.sha256
    assert here.settings == there.settings
    assert len(here.per_object) == 10
    for one, other in zip(here.per_object, there.per_object, strict=True):
        assert one.clicks == other.clicks
        assert max(abs(a - b) for a, b in zip(one.known, other.known, strict=True)) <= 0.001
    assert read_results(folder / "browser-verify.json").passed
    latency = read_results(folder / "browser-latency.json")
    assert [row.place for row in latency.rows] == ["here", "here", "browser"]
