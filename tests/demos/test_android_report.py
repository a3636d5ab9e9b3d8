"""The report of the Android app, made on the JVM by its own code, is read like bench latency's."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.results import LatencyResults, read_results
from ritm_edge.cli.main import app

from ..paths import ROOT

CORE = ROOT / "android_demo"
BUILT = [CORE / "build" / each for each in ("core", "tests")]
MODELS = sorted((ROOT / "out/android/context").glob("*.tflite"))


@pytest.mark.skipif(
    not MODELS or not all(each.is_dir() for each in BUILT),
    reason="make test-android builds the app's core and exports its model",
)
def test_the_report_of_the_app_is_read(tmp_path):
    server = CORE / "core/src/test/python/serve_graphs.py"
    path = os.pathsep.join(map(str, BUILT))
    command = [
        "java",
        f"-Dritmedge.python={sys.executable}",
        f"-Dritmedge.server={server}",
        "-cp",
        path,
    ]
    golden = MODELS[0].parent / "golden"
    done = subprocess.run(
        [*command, "ritmedge.core.PrintReport", str(MODELS[0]), str(golden)],
        capture_output=True,
        text=True,
        check=True,
    )
    report = tmp_path / "report.json"
    report.write_text(done.stdout)
    values = json.loads(done.stdout)
    (row,) = values["rows"]
    assert row["golden_traces"]["session_passed"]
    assert row["golden_traces"]["network_passed"]
    assert len(row["clicks_to_mask_ms"]) == 5
    assert values["failed"][0]["error"] == "There is no GPU here."
    results = read_results(report)
    assert isinstance(results, LatencyResults)
    assert results.rows[0].median_ms == row["median_ms"]
    page = tmp_path / "page.html"
    shown = CliRunner().invoke(app, ["report", str(report), "-o", str(page)])
    assert shown.exit_code == 0, shown.output + str(shown.exception)
    assert "LiteRT for Python, 1 thread" in page.read_text()
