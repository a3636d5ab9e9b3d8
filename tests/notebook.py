"""Runs the notebook of the documentation; `python -m tests.notebook` keeps its new outputs."""

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from .paths import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def run(notebook: Any, folder: Path) -> Any:
    """The notebook after a run in `folder`, with the commands of this environment."""
    commands = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    client = NotebookClient(
        notebook,
        timeout=1200,  # seconds for each cell
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env={**os.environ, "PATH": commands})


if __name__ == "__main__":
    done = run(nbformat.read(NOTEBOOK, as_version=4), NOTEBOOK.parent)
    for each in done.cells:
        each.metadata.pop("execution", None)  # the time of day
    nbformat.write(done, NOTEBOOK)
