"""mypy sees from the command line into the stages, though they lie outside `ritm_edge/`."""

import os
import re
import subprocess
import sys

from .paths import ROOT

WRONG_CALLS = """
from ritm_edge.benchmarks.machine import describe_machine
from ritm_edge.export.pipeline import export_checkpoint
from ritm_edge.train.schedule import run_length

export_checkpoint(1, nonsense=2)
run_length("many")
describe_machine(b"hrnet18s").keys()
"""


def test_a_wrong_call_into_every_stage_is_found(tmp_path):
    subprocess.run(["make", "layout"], cwd=ROOT, check=True, capture_output=True)
    path = tmp_path / "wrong_calls.py"
    path.write_text(WRONG_CALLS)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-pretty", os.fspath(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = set(re.findall(r"wrong_calls\.py:(\d+): error: .*\[([\w-]+)\]", done.stdout))
    assert found >= {("6", "call-arg"), ("6", "arg-type"), ("7", "arg-type"), ("8", "call-arg")}
    elsewhere = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert all("wrong_calls.py" in line for line in elsewhere), done.stdout
