"""`--output` of the measuring commands is checked before anything is measured."""

import pytest
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.errors import OutputFileError


@pytest.mark.parametrize(
    "command",
    [
        ["bench", "latency"],
        ["bench", "noc"],
        ["bench", "flops"],
        ["bench", "fit", "--data", "GrabCut=nowhere"],
        ["bench", "train", "hrnet18s-paper"],
        ["bench", "rewrites"],
        ["report", "absent.json"],
    ],
    ids=" ".join,
)
def test_a_folder_is_refused_before_the_work(tmp_path, command):
    done = CliRunner().invoke(app, [*command, "--output", str(tmp_path)])
    assert isinstance(done.exception, OutputFileError)
    assert str(done.exception) == f"{tmp_path} is a folder: name a file in it."
