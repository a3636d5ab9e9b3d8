"""Shares of the rewrites: ratios within rounds, and the command on a small graph."""

import json

import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.latency.timing import LatencyReport, LatencyRow, LatencySettings
from ritm_edge.benchmarks.rewrite_shares import rewrite_shares
from ritm_edge.cli.main import app
from ritm_edge.errors import OutputFileError, UsageError


def row(*samples_ms):
    return LatencyRow("a.onnx", "onnx", None, False, samples_ms, None, (1.0,), 2, 1, 3)


def test_ratios_are_taken_within_rounds():
    rows = (row(100.0, 200.0, 50.0), row(80.0, 100.0, 45.0), row(40.0, 90.0, 9.0))
    report = LatencyReport({}, {}, LatencySettings(), (32, 48), None, rows)
    first, second = rewrite_shares(("one", "two"), report)
    assert first["ratio_to_previous"] == first["ratio_to_baseline"] == 0.8
    assert second == {
        "name": "two",
        "median_ms": 40.0,
        "ratio_to_previous": 0.5,
        "ratio_to_baseline": pytest.approx(0.4),
    }


def test_every_variant_is_exported_verified_and_timed(tmp_path, monkeypatch):
    from ritm_edge.export import registry
    from ritm_edge.export.target import Target

    target = registry.find_target("onnx")
    small = Target(**{**vars(target), "rewrites": ("windowed_disks",)})
    monkeypatch.setattr(registry, "find_target", lambda _: small)
    output = tmp_path / "shares.json"
    arguments = ["bench", "rewrites", "--size", "64x96", "--runs", "2", "--threads", "1"]
    result = CliRunner().invoke(app, [*arguments, "--json", "-o", str(output)])
    assert result.exit_code == 0, result.exception
    values = json.loads(output.read_text())
    assert [share["name"] for share in values["shares"]] == ["windowed_disks"]
    assert [row["rewrites"] for row in values["rows"]] == [[], ["windowed_disks"]]
    assert values["rows"][1]["ratio_to_baseline"] == values["shares"][0]["ratio_to_baseline"]


def test_wrong_arguments(tmp_path):
    result = CliRunner().invoke(app, ["bench", "rewrites", "-o", str(tmp_path)])
    assert type(result.exception) is OutputFileError
    result = CliRunner().invoke(app, ["bench", "rewrites", "--target", "onx"])
    assert type(result.exception) is UsageError
