"""`weights list`: embedded and published weights with what is known of them."""

import json

from typer.testing import CliRunner

from ritm_edge.benchmarks.weight_figures import weight_figures
from ritm_edge.cli.main import app
from ritm_edge.weights import EMBEDDED_MODELS, default_checkpoint, measured_figures
from ritm_edge.weights.published import PUBLISHED

from ..paths import ROOT


def results(name: str):
    return json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_checkpoint_is_listed_with_its_clicks_and_size():
    rows = json.loads(CliRunner().invoke(app, ["weights", "list", "--json"]).stdout)
    assert [row["name"] for row in rows] == [*EMBEDDED_MODELS, *(each.name for each in PUBLISHED)]
    by_name = {row["name"]: row for row in rows}
    lite = by_name["lite0"]
    assert lite["mb"] == default_checkpoint("lite0").stat().st_size / 1e6
    assert 1 < lite["grabcut_noc90"] < lite["berkeley_noc90"] < 20
    assert lite["gmacs"] < by_name["hrnet18s"]["gmacs"] / 4
    published = by_name["coco_lvis_h18s_itermask"]
    assert (published["grabcut_noc90"], published["berkeley_noc90"]) == (1.68, 2.60)
    assert published["gmacs"] == by_name["hrnet18s"]["gmacs"]
    assert published["mb"] is None


def test_the_table_says_what_is_unknown():
    table = CliRunner().invoke(app, ["weights", "list"]).stdout
    assert "lite0" in table
    assert "—" in table


def test_the_figures_are_those_of_the_committed_results():
    clicks = [results(f"noc-{model}") for model in EMBEDDED_MODELS]
    assert measured_figures() == weight_figures(clicks, results("flops"))
