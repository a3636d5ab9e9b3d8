"""The report page: complete, self-contained, and proof against what a results file may say."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.paper.curves import curve_of
from ritm_edge.benchmarks.report.charts import COLOURS, curve_charts, share
from ritm_edge.benchmarks.report.clicks import click_tables
from ritm_edge.benchmarks.report.page import render_page
from ritm_edge.benchmarks.report.worst import worst_cases
from ritm_edge.benchmarks.results import NocRun, read_results
from ritm_edge.cli.main import app
from ritm_edge.data import open_benchmark
from ritm_edge.errors import ClickError, InputFileError, OutputFileError, UsageError

from ..core.blob_runtime import BlobRuntime
from ..paths import ROOT
from .results_files import noc_document, noc_run, save

HOSTILE = "</style></svg><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


class Tags(HTMLParser):
    """Every start tag with its attributes, and whether all were closed in order."""

    VOID = ("meta", "img")

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.balanced = [], [], True
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        self.balanced = bool(self.open) and self.open.pop() == tag and self.balanced


def page_of(tmp_path, *documents, **options):
    results = {}
    for index, document in enumerate(documents):
        path = save(tmp_path / f"r{index}.json", document)
        results[path.name] = read_results(path)
    return render_page(results, **options)


def committed():
    names = ("noc-lite0", "latency", "flops", "fixed-size")
    paths = [ROOT / f"docs/results/{name}.json" for name in names]
    return {path.name: read_results(path) for path in paths}


def test_every_committed_measurement_has_its_section():
    page = render_page(committed())
    for section in (
        "noc",
        "curves",
        "latency",
        "size",
        "parity",
        "flops",
        "fit",
        "worst",
        "machine",
    ):
        assert f'<h2 id="{section}">' in page
        assert f'href="#{section}"' in page
    assert "deeplab_r50, decoder 128" in page
    assert Tags(page).balanced


def test_half_precision_and_accelerators_have_their_section(tmp_path):
    mode = {"mode": "flushed", "safe": True, "reason": "", "min_mask_iou": 0.97}
    mode |= {"mask_iou_after_clicks": {"1": 0.98, "3": 0.99}, "first_loss": None}
    broken = mode | {"safe": False, "reason": HOSTILE}
    engine = {"engine": HOSTILE, "taken": 3, "operations": 5, "partitions": 2, "refused": ["Where"]}
    kind = {"kind": "ritm-edge accelerators", "artifact": HOSTILE}
    for found in ({"modes": [mode, broken]}, {"delegates": [engine, engine | {"taken": None}]}):
        page = page_of(tmp_path, kind | found)
        assert '<h2 id="accelerators">' in page
        assert 'href="#accelerators"' in page
        tags = Tags(page)
        assert tags.balanced
        assert "script" not in {tag for tag, _ in tags.found}
    assert "3/5" in page
    assert "—/5" in page


def test_the_page_asks_the_network_for_nothing_and_runs_nothing():
    page = render_page(committed())
    tags = Tags(page).found
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "base", "form"}
    for _, attributes in tags:
        assert not any(name.startswith("on") for name in attributes)
        assert not attributes.get("src", "data:").startswith(("http", "/"))
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_hostile_texts_stay_texts(tmp_path):
    run = noc_run(HOSTILE, HOSTILE, runtime=HOSTILE, engine=HOSTILE, precision=HOSTILE)
    run["noc"][2]["name"] = HOSTILE
    run["per_object"][0]["name"] = HOSTILE
    document = noc_document(run)
    document["machine"]["cpu"] = HOSTILE
    document["versions"] = {HOSTILE: HOSTILE}
    page = page_of(tmp_path, document, title=HOSTILE)
    tags = Tags(page)
    assert tags.balanced
    assert "script" not in {tag for tag, _ in tags.found}
    assert "img" not in {tag for tag, _ in tags.found}
    assert "{{ 7*7 }}" in page


def test_numbers_are_those_of_the_file(tmp_path):
    page = page_of(tmp_path, noc_document(noc_run("a.onnx"), noc_run("b.tflite")))
    assert page.count("8.15") >= 4
    assert "2.00…20.00" in page
    assert "Test CPU" in page
    assert "1.23.0" in page
    assert "latency" not in page.split("<main>")[1].lower()


def test_files_with_other_click_limits_share_one_table():
    longer = noc_run("longer.pth")
    longer["noc"].append(longer["noc"][2] | {"name": "NoC100@90", "max_clicks": 100, "mean": 55.5})
    longer["noc"][3]["at_limit_published"] = 0
    runs = [NocRun.model_validate(run) for run in (noc_run("short.onnx"), longer)]
    (table,) = click_tables(runs)
    short, long = (dict(zip(table.header, row, strict=True)) for row in table.rows)
    assert (short["NoC20@90"], short["NoC100@90"], short["≥20"], short["≥100"]) == (
        *("8.15", "—"),
        *("1", "—"),
    )
    assert (long["NoC100@90"], long["≥20"], long["≥100"]) == ("55.50", "1", "0")
    assert table.bars[1][1]["name"] == "NoC20@90"


def test_curves_fit_into_their_drawing():
    runs = [NocRun.model_validate(noc_run(f"{i}.onnx")) for i in range(COLOURS + 2)]
    (chart,) = curve_charts([curve_of(run) for run in runs])
    assert (len(chart.lines), chart.hidden, len(chart.table)) == (COLOURS, 2, COLOURS + 2)
    for x, y, words in chart.lines[0].points:
        assert 0 <= x <= 360
        assert 0 <= y <= 250
        assert "clicks" in words
    assert chart.lines[0].points[0][1] > chart.lines[0].points[-1][1]  # up is better
    assert chart.table[0][1][:4] == ("0.350", "0.625", "0.950", "—")
    assert chart.stopped
    assert share(5, 0, 10) == 50
    assert share(50, 0, 10) == 100
    assert share(1, 1, 1) == 0


def test_nothing_ever_predicted_draws_an_empty_chart(tmp_path):
    run = noc_run()
    for each in run["per_object"]:
        each["ious"] = [None] * len(each["ious"])
    page = page_of(tmp_path, noc_document(run))
    assert "nan" not in page.split("</style>")[1].lower()


@pytest.fixture
def grabcut(tmp_path):
    """Two photos in the layout of GrabCut."""
    for folder in ("data_GT", "boundary_GT"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:50, 20:60] = 255
    for name in ("good", "bad"):
        photo = np.full((60, 80, 3), 120, np.uint8)
        cv2.imwrite(str(tmp_path / "set/data_GT" / f"{name}.jpg"), photo)
        cv2.imwrite(str(tmp_path / "set/boundary_GT" / f"{name}.bmp"), mask)
    return tmp_path / "set"


def pictures(page):
    texts = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', page)
    data = [np.frombuffer(base64.b64decode(text), np.uint8) for text in texts]
    return [cv2.imdecode(each, cv2.IMREAD_COLOR) for each in data]


def test_worst_cases_come_first_and_show_their_masks(tmp_path, grabcut):
    benchmarks = {"GrabCut": open_benchmark("GrabCut", grabcut)}
    plain = page_of(tmp_path, noc_document(), benchmarks=benchmarks)
    assert plain.index("<h3>bad</h3>") < plain.index("<h3>good</h3>")
    assert "not in 3" in plain
    replayed = page_of(
        tmp_path, noc_document(), benchmarks=benchmarks, runtime=BlobRuntime(radius=10)
    )
    before, after = pictures(plain), pictures(replayed)
    assert len(before) == len(after) == 2
    assert before[0].shape == (60, 80, 3)
    assert not np.array_equal(before[0], after[0])
    assert "the true object" in plain
    assert "the mask after 3 clicks" in replayed


def test_a_run_from_damaged_masks_is_repeated_from_them(tmp_path, grabcut):
    benchmarks = {"GrabCut": open_benchmark("GrabCut", grabcut)}
    shown = []
    for start in (None, 0.75):
        run = noc_run()
        run["settings"]["start_iou"] = start
        page = page_of(
            tmp_path, noc_document(run), benchmarks=benchmarks, runtime=BlobRuntime(radius=5)
        )
        shown.append(pictures(page)[0])
    assert not np.array_equal(*shown)


def test_an_object_that_is_not_in_the_folder_has_no_picture(grabcut):
    run = noc_run()
    run["per_object"][1]["name"] = "elsewhere"
    ((_, _, cases),) = worst_cases(
        [NocRun.model_validate(run)], {"GrabCut": open_benchmark("GrabCut", grabcut)}, None
    )
    assert [case.picture is None for case in cases] == [True, False]


def test_clicks_outside_the_photo_are_an_error(grabcut):
    run = noc_run()
    run["per_object"][1]["clicks"] = [[5000.0, 4.0, True]] * 3
    with pytest.raises(ClickError):
        worst_cases(
            [NocRun.model_validate(run)],
            {"GrabCut": open_benchmark("GrabCut", grabcut)},
            BlobRuntime(),
        )


def test_command_line(tmp_path, grabcut):
    noc = save(tmp_path / "noc.json", noc_document())
    out = tmp_path / "deep" / "report.html"
    arguments = ["report", str(noc), str(ROOT / "docs/results/latency.json"), "-o", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--data", f"GrabCut={grabcut}"])
    assert done.exit_code == 0, done.output
    assert len(pictures(out.read_text())) == 2
    assert "From noc.json, latency.json." in out.read_text()
    for more, error in (
        (["--model", "x.onnx"], UsageError),
        (["-o", str(tmp_path)], OutputFileError),
    ):
        with pytest.raises(error):
            CliRunner().invoke(app, ["report", str(noc), *more], catch_exceptions=False)


def browser_check(**changes):
    return {
        "kind": "ritm-edge browser check",
        "format_version": 1,
        "passed": True,
        "model": "lite0",
        "precision": "fp32",
        "engine": "LiteRT.js 2.5.3",
        "threads": 4,
        "user_agent": HOSTILE,
        "network": {"runs": 9, "max_abs": 2e-6, "min_mask_iou": 1.0, "median_ms": 61.5},
        "session": {"passed": True, "pixels": 1000, "differing_pixels": 3},
        **changes,
    }  # fmt: skip


def test_a_self_check_of_a_browser_is_a_row(tmp_path):
    page = page_of(tmp_path, browser_check(), browser_check(passed=False, model="hrnet18s"))
    tags = Tags(page)
    assert tags.balanced
    assert "script" not in [tag for tag, _ in tags.found]
    for text in ("lite0 fp32", "hrnet18s fp32", "LiteRT.js 2.5.3", "61.5", "3 of 1000"):
        assert text in page
    assert page.count("✗ not passed") == 1


@pytest.mark.parametrize(
    "changes",
    [{"threads": "4"}, {"passed": 1}, {"network": {}}, {"session": None}, {"model": ["a"]}],
)
def test_a_self_check_of_another_form_is_refused(tmp_path, changes):
    with pytest.raises(InputFileError, match="measure again"):
        page_of(tmp_path, browser_check(**changes))
