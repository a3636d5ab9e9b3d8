"""`--on adb` against the app's own server, on the JVM, with a program that stands in for adb."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ritm_edge import devices
from ritm_edge.cli.main import app

from ..paths import EVAL_DATA, ROOT, requires_data

CORE = ROOT / "android_demo"
BUILT = [CORE / "build" / each for each in ("core", "tests")]
MODELS = sorted((ROOT / "out/android/context").glob("*.tflite"))
pytestmark = [
    pytest.mark.skipif(
        not MODELS or not all(each.is_dir() for each in BUILT),
        reason="make test-android builds the app's core and exports its model",
    ),
    pytest.mark.skipif(
        not (Path(devices.__file__).parent / "adb.py").exists(), reason="there is no --on adb yet"
    ),
]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model file; the phone to run it is there."""
    kept = tmp_path / "phone"
    kept.mkdir()
    server = CORE / "core/src/test/python/serve_graphs.py"
    properties = [f"-Dritmedge.python={sys.executable}", f"-Dritmedge.server={server}"]
    path = os.pathsep.join(map(str, BUILT))
    command = ["java", *properties, "-cp", path, "ritmedge.core.ServeDevice", str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as phone:
        assert phone.stdout is not None
        port = int(phone.stdout.readline())
        adb = tmp_path / "adb"
        adb.write_text(
            '#!/bin/sh\ncase "$*" in\n'
            'devices) printf "List of devices attached\\nJVM\\tdevice\\n";;\n'
            f'*"forward tcp:0"*) echo {port};;\nesac\n'
        )
        adb.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        yield MODELS[0]
        phone.kill()


def result_of(output: Path, *arguments: object):
    done = CliRunner().invoke(app, [*map(str, arguments), "-o", str(output)])
    assert done.exit_code == 0, done.output + str(done.exception)
    return json.loads(output.read_text())


def test_verify_passes_there(model):
    done = CliRunner().invoke(app, ["verify", str(model), "--on", "adb", "--json"])
    assert done.exit_code == 0, done.output + str(done.exception)
    found = json.loads(done.stdout)
    assert found["passed"]
    assert found["device"]["place"] == "adb"


def test_latency_has_a_row_of_the_phone(model, tmp_path):
    found = result_of(tmp_path / "latency.json", "bench", "latency", model, "--on", "adb",
                      "--runs", 5, "--no-pytorch")  # fmt: skip
    (row,) = [each for each in found["rows"] if each["place"] == "adb"]
    assert row["engine"] == "LiteRT for Python, 1 thread"
    assert row["median_ms"] > 0


@requires_data
def test_the_simulated_user_clicks_as_here(model, tmp_path):
    command = ["bench", "noc", model, "--data", f"GrabCut={EVAL_DATA / 'GrabCut'}", "--limit", 10,
               "--max-clicks", 5]  # fmt: skip
    (here,) = result_of(tmp_path / "here.json", *command)["reports"]
    (there,) = result_of(tmp_path / "there.json", *command, "--on", "adb")["reports"]
    assert len(here["per_object"]) == 10
    for one, other in zip(here["per_object"], there["per_object"], strict=True):
        assert one["clicks"] == other["clicks"]
        pairs = zip(one["ious"], other["ious"], strict=True)
        assert all(abs(a - b) <= 0.001 for a, b in pairs)
