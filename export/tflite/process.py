"""Runs what needs TensorFlow in a process of its own: it prints, exits and keeps its memory."""

import os
import re
import subprocess
import sys
from pathlib import Path

MAX_REASON = 200
# Of Python ("ValueError: …") and of TensorFlow's compiler ("error: …").
ERROR_LINE = re.compile(r"\b(\w*Error|error): ")
TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_USE_LEGACY_KERAS": "1"}


def run_worker(module: str, *arguments: str | Path, makes: Path) -> str | None:
    """Run `python -m module arguments`, which writes `makes` and whatever else into its folder.

    Returns:
        None where it succeeded, else the reason that it gave, in one line.
    """
    scratch = makes.parent
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=scratch,
        env={**os.environ, **QUIET, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0 and makes.is_file():
        return None
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}, perhaps for lack of memory"
    return _reason(done.stderr) or _reason(done.stdout) or "it said nothing"


def _reason(text: str) -> str:
    """The first line that names an error, the cause of later ones; else the last line."""
    lines = [line.strip() for line in TERMINAL_COLOURS.sub("", text).splitlines() if line.strip()]
    errors = [line for line in lines if ERROR_LINE.search(line)]
    reason = (errors[:1] or lines[-1:] or [""])[0]
    return reason.rpartition(" error: ")[2][:MAX_REASON]  # without the compiler's long location
