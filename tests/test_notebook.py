"""The notebook of the documentation runs from its first cell to its last, and shows its results."""

from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from .notebook import NOTEBOOK, run

MAX_BYTES = 300_000
REPEAT = "run `make notebook` and commit the result"


def shown(notebook: Any) -> list[set[str]]:
    """The kinds of output of each code cell; progress and notices are not counted."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        {each.output_type for each in cell.outputs if each.get("name") != "stderr"}
        for cell in cells
    ]


def test_it_runs_and_was_committed_with_its_outputs(tmp_path):
    committed = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(committed)
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), REPEAT
    fresh = run(nbformat.read(NOTEBOOK, as_version=4), tmp_path)
    assert all(shown(fresh))
    assert shown(committed) == shown(fresh), REPEAT


@pytest.mark.parametrize("source", ["1 / 0", "%%sh\nfalse", "%%sh\nritm-edge verify missing.onnx"])
def test_a_cell_that_fails_is_noticed(source, tmp_path):
    cell = nbformat.v4.new_code_cell(source)
    with pytest.raises(CellExecutionError):
        run(nbformat.v4.new_notebook(cells=[cell]), tmp_path)
