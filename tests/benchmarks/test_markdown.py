"""Tables in the texts are those of the committed measurements."""

import json

import pytest

from ritm_edge.benchmarks.markdown import MARK, fill_tables
from ritm_edge.errors import InputFileError

from ..paths import ROOT

TEXTS = (
    "README.md",
    "ritm_edge/weights/MODEL_CARD.md",
    "docs/fixed-size.md",
    "docs/measure.md",
    "docs/methods.md",
    "docs/runtimes.md",
    "docs/training.md",
    "docs/web.md",
    "docs/devices.md",
    "docs/accelerators.md",
)


@pytest.mark.parametrize("name", TEXTS)
def test_tables_are_up_to_date(name):
    text = (ROOT / name).read_text()
    assert MARK.search(text)
    assert fill_tables(text, ROOT) == text


def test_a_changed_measurement_changes_the_table(tmp_path):
    text = (ROOT / TEXTS[1]).read_text()
    source = MARK.search(text)["source"]
    report = json.loads((ROOT / source).read_text())
    report["reports"][0]["noc"][0]["mean"] = 7.125
    (tmp_path / source).parent.mkdir(parents=True)
    (tmp_path / source).write_text(json.dumps(report))
    assert "7.12" in fill_tables(MARK.search(text)[0], tmp_path)


def test_samples_of_users_become_one_row(tmp_path):
    def report(file, user, value):
        noc = [{"name": "NoC20@90", "mean": value}]
        return {"benchmark": "B", "file": file, "settings": {"user": user}, "noc": noc}

    border = [report(f"m.onnx border {n + 1}", "border", 2.0 + n) for n in range(2)]
    for name, reports in (("a", border), ("b", [report("m.onnx", None, 1.5)])):
        document = {"kind": "ritm-edge noc", "reports": reports}
        (tmp_path / f"noc-user-{name}.json").write_text(json.dumps(document))
    text = fill_tables("<!-- table: noc-user-*.json -->\n<!-- end of table -->", tmp_path)
    assert (
        "| B | m.onnx | border | 2 | 2.50 ± 0.71 |\n| B | m.onnx | published | 1 | 1.50 |" in text
    )


def test_other_json_and_missing_files_are_refused(tmp_path):
    text = "<!-- table: a.json -->\n<!-- end of table -->"
    with pytest.raises(InputFileError, match="does not exist"):
        fill_tables(text, tmp_path)
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputFileError, match="not a report"):
        fill_tables(text, tmp_path)
