"""A short run of the fuzzer; `python scripts/fuzz.py` makes a long one."""

import json
import subprocess
import sys

import pytest

from .paths import ROOT

CASES = 40


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits the memory of processes")
def test_no_file_brings_a_command_down(tmp_path):
    for module in ("torch", "ai_edge_litert", "pydantic", "jinja2", "matplotlib"):
        pytest.importorskip(module)
    counts = tmp_path / "counts.json"
    command = [sys.executable, ROOT / "scripts" / "fuzz.py", "--cases", str(CASES), "--seed", "1"]
    done = subprocess.run([*command, "-o", counts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads(counts.read_text())["outcomes"]
    assert sum(outcomes.values()) == CASES
    assert outcomes["refused"] > CASES / 3
    assert outcomes["taken"] > 0, "damage without effect, or a value of the same kind"
