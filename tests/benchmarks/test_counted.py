"""What is counted is no worse than when it was last committed (`make counted`)."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("onnxscript", reason="the onnx extra is not installed")
pytest.importorskip("pydantic", reason="the report extra is not installed")

from ritm_edge.cli.main import app

from .. import counted
from ..paths import ROOT

COMMITTED = ROOT / "docs" / "results"
# FLOPs, parameters and clicks are exact for one set of libraries. Others move the size of a file by
# a few names and numbers in its graph, and probabilities by 1e-6, and with them the IoU. A click
# more on one object of five is within the interval that bench compare calls noise.
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counted")
    counted.measure(folder)
    return folder


def compare(old: Path, new: Path):
    line = ["bench", "compare", str(old), str(new), "--tolerance", str(TOLERANCE)]
    return CliRunner().invoke(app, line)


@pytest.mark.parametrize("name", [counted.FLOPS, counted.NOC])
def test_nothing_counted_is_worse_than_what_is_committed(name, measured):
    result = compare(COMMITTED / name, measured / name)
    assert result.exit_code == 0, result.exception


# (file, what is made worse by 2 % or by a click on every object)
WORSE = {
    "flops of": (counted.FLOPS, lambda d: more(d["artifacts"][0], "flops")),
    "macs of": (counted.FLOPS, lambda d: more(d["artifacts"][0], "macs")),
    "parameters of": (counted.FLOPS, lambda d: more(d["artifacts"][0], "parameters")),
    "file bytes of": (counted.FLOPS, lambda d: more(d["artifacts"][0], "file_bytes")),
    "NoC20@90 of": (counted.NOC, lambda d: [late(each) for each in d["reports"][0]["per_object"]]),
}


def more(row, figure):
    row[figure] += row[figure] // 50


def late(each):
    each["ious"].insert(0, 0.0)
    each["clicks"].insert(0, each["clicks"][0])


@pytest.mark.parametrize("figure", WORSE)
def test_what_gets_worse_is_an_error(figure, tmp_path):
    name, spoil = WORSE[figure]
    document = json.loads((COMMITTED / name).read_text())
    spoil(document)
    (tmp_path / name).write_text(json.dumps(document))
    result = compare(COMMITTED / name, tmp_path / name)
    assert result.exit_code != 0
    assert figure in str(result.exception) or "more figure" in str(result.exception)
