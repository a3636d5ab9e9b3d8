"""`bench noc`: counts, JSON, resuming, processes; on a small model and made-up photos."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge import default_checkpoint
from ritm_edge.benchmarks.bootstrap import mean_interval
from ritm_edge.benchmarks.noc.journal import Journal
from ritm_edge.benchmarks.noc.pool import evaluate_all
from ritm_edge.benchmarks.noc.report import NocReport, as_document, as_text
from ritm_edge.benchmarks.noc.runs import SoFar, check_slots, measure
from ritm_edge.benchmarks.noc.table import noc_table
from ritm_edge.cli.main import app
from ritm_edge.clicks import Click
from ritm_edge.data import Sample, open_benchmark
from ritm_edge.errors import InputFileError, OutputFileError, RitmEdgeError, UsageError
from ritm_edge.evaluation.loop import EvaluationSettings, SampleResult, evaluate_sample
from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.base import open_runtime

from ..core.blob_runtime import BlobRuntime

SUBJECT = {
    "file": "a.onnx",
    "runtime": "onnx",
    "engine": None,
    "model": "hrnet18s",
    "precision": "fp32",
    "size": None,
    "sha256": "ab",
    "checkpoint_sha256": "cd",
}
SETTINGS = EvaluationSettings(max_clicks=3)


@pytest.fixture
def grabcut(tmp_path: Path) -> Path:
    """Five photos of noise with a bright square each, in GrabCut's layout."""
    generator = np.random.default_rng(3)
    root = tmp_path / "GrabCut"
    for folder in ("data_GT", "boundary_GT"):
        (root / folder).mkdir(parents=True)
    for index in range(5):
        photo = generator.integers(0, 80, (60, 90, 3), dtype=np.uint8)
        mask = np.zeros((60, 90), np.uint8)
        top, left = 5 + 4 * index, 10 + 9 * index
        mask[top : top + 22, left : left + 26] = 255
        photo[mask == 255] += 150
        assert cv2.imwrite(str(root / "data_GT" / f"{index}.png"), photo)
        assert cv2.imwrite(str(root / "boundary_GT" / f"{index}.bmp"), mask)
    return root


def report(*ious: list[float], max_clicks: int = 20, target: float = 0.9) -> NocReport:
    results = [
        SampleResult(
            str(number),
            tuple(Click(1.5, 2.0, order=order) for order in range(len(values))),
            np.array(values, np.float32),
            2.0,
        )
        for number, values in enumerate(ious)
    ]
    settings = EvaluationSettings(max_clicks=max_clicks, target_iou=target)
    return NocReport("GrabCut", 50, SUBJECT, settings, 1, 1, results)


def test_the_published_count_includes_what_was_solved_at_the_last_click() -> None:
    values = report([0.5] * 19 + [0.95], [0.5] * 20, [0.93]).as_dict()
    names = [noc["name"] for noc in values["noc"]]
    assert names == ["NoC20@80", "NoC20@85", "NoC20@90"]
    strictest = values["noc"][2]
    assert strictest["mean"] == pytest.approx(41 / 3)
    assert (strictest["at_limit_published"], strictest["never_reached"]) == (2, 1)
    assert values["objects"] == 3
    assert values["objects_in_benchmark"] == 50


def test_a_hundred_clicks_give_both_columns() -> None:
    values = report([0.5] * 59 + [0.95], [0.5] * 100, [0.9], max_clicks=100).as_dict()
    means = {noc["name"]: (noc["mean"], noc["never_reached"]) for noc in values["noc"]}
    assert means["NoC20@90"] == (pytest.approx(41 / 3), 2)
    assert means["NoC100@90"] == (pytest.approx(161 / 3), 1)


def test_mean_iou_is_given_only_where_every_object_got_the_clicks() -> None:
    values = report([0.5, 0.7], [0.7]).as_dict()
    assert values["mean_iou"][0] == pytest.approx(0.6)
    assert values["mean_iou"][1:] == [None] * 19


def test_drops_count_clicks_that_lower_the_iou_by_more_than_two_hundredths() -> None:
    assert report([0.5, 0.47, 0.6], [0.5, 0.49, 0.51, 0.9]).share_of_drops == pytest.approx(1 / 5)
    assert report([0.9]).share_of_drops is None
    assert report([0.5, 0.6]).seconds_per_click == 1.0


def test_intervals_are_repeatable_and_hold_the_mean() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = mean_interval(values)
    assert (low, high) == mean_interval(values)
    assert low < values.mean() < high
    assert (high - low) == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert mean_interval([3.0, 3.0]) == (3.0, 3.0)


def test_differences_are_paired_and_taken_to_the_first_file() -> None:
    first, second = report([0.9], [0.5, 0.9]), report([0.5, 0.9], [0.5, 0.5, 0.9])
    entries = as_document([first, second])["reports"]
    assert entries[0]["noc"][2]["difference"] is None
    assert entries[1]["noc"][2]["difference"] == {
        "to": "a.onnx",
        "mean": 1.0,
        "interval": [1.0, 1.0],
    }
    assert "| +1.00 |" in noc_table(entries)


def test_the_json_keeps_every_iou_bit(tmp_path: Path) -> None:
    ious = np.random.default_rng(1).random(20).astype(np.float32)
    with Journal(tmp_path / "j.jsonl") as journal:
        run, _ = journal.start({"benchmark": "B", "file": "f"})
        result = report([*ious[:19], float("nan")]).results[0]
        journal.append(run, result)
    with Journal(tmp_path / "j.jsonl") as journal:
        _, done = journal.start({"benchmark": "B", "file": "f"})
    assert np.array_equal(done["0"].ious, result.ious, equal_nan=True)
    assert done["0"].clicks == result.clicks
    text = as_text(as_document([report([0.5, float("nan")])]))
    assert "NaN" not in text
    assert json.loads(text)["reports"][0]["per_object"][0]["ious"] == [0.5, None]


def test_a_cut_off_line_is_forgotten_and_a_wrong_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run_of = {"benchmark": "B", "file": "f", "settings": {"flip": True}}
    with Journal(path) as journal:
        run, _ = journal.start(run_of)
        for result in report([0.1], [0.2]).results:
            journal.append(run, result)
    whole = path.read_bytes()
    for cut in (whole[:-1], whole[:-9], whole[:-9] + b"\0\n"):
        path.write_bytes(cut)
        with Journal(path) as journal:
            assert set(journal.start(run_of)[1]) == {"0"}
            journal.append(run, report([0.1], [0.2]).results[1])
        assert path.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"[]\n" + lines[3])
    with pytest.raises(InputFileError, match="line 3 is not a line of a journal"):
        Journal(path)


def test_another_file_or_other_settings_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run_of = {"benchmark": "B", "file": "f", "sha256": "1", "settings": {"threshold": 0.49}}
    with Journal(path) as journal:
        journal.start(run_of)
        with pytest.raises(UsageError, match="being written by another run"):
            Journal(path)
        journal.start({**run_of, "benchmark": "C"})
        with pytest.raises(
            UsageError, match=r"other settings \(threshold 0.49, now 0.5\).*--fresh"
        ):
            journal.start({**run_of, "settings": {"threshold": 0.5}})
        with pytest.raises(UsageError, match="another file of that name"):
            journal.start({**run_of, "sha256": "2"})
    with Journal(path, fresh=True) as journal:
        assert journal.start({**run_of, "sha256": "2"})[1] == {}


def test_processes_and_interruptions_change_nothing(grabcut: Path, tmp_path: Path) -> None:
    benchmark = open_benchmark("GrabCut", grabcut)
    runtime = open_runtime(default_checkpoint(), threads=1)
    expected = measure(runtime, benchmark, SETTINGS, threads=1)
    plain = [evaluate_sample(runtime, sample, expected.settings) for sample in benchmark]
    seen: list[tuple[int, int]] = []

    def stop_after_two(so_far: SoFar) -> None:
        seen.append((so_far.done, so_far.total))
        if so_far.done == 2:
            raise KeyboardInterrupt

    path = tmp_path / "j.jsonl"
    with Journal(path) as journal, pytest.raises(KeyboardInterrupt):
        measure(
            runtime,
            benchmark,
            SETTINGS,
            jobs=2,
            threads=1,
            journal=journal,
            progress=stop_after_two,
        )
    assert seen == [(0, 5), (1, 5), (2, 5)]
    seen.clear()
    with Journal(path) as journal:
        continued = measure(
            runtime,
            benchmark,
            SETTINGS,
            threads=1,
            journal=journal,
            progress=lambda so_far: seen.append((so_far.done, so_far.total)),
        )
    assert seen[0] == (2, 5)
    for results in (plain, continued.results):
        assert [r.name for r in results] == [r.name for r in expected.results]
        for got, wanted in zip(results, expected.results, strict=True):
            assert got.clicks == wanted.clicks
            assert np.array_equal(got.ious, wanted.ious)


def test_progress_counts_as_the_report_does(grabcut: Path) -> None:
    told: list[SoFar] = []
    runtime = open_runtime(default_checkpoint(), threads=1)
    done = measure(runtime, open_benchmark("GrabCut", grabcut), SETTINGS, progress=told.append)
    assert told[-1] == SoFar(5, 5, "NoC3@95", done.noc[-1].mean)
    assert np.isnan(told[0].mean_clicks)


def no_truth() -> np.ndarray:
    return np.zeros(0, np.int32)


class Fatal(Sample):
    """Ends the process that loads it, as the system does when memory runs out."""

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        os._exit(9)


def test_a_killed_process_is_an_error_in_one_sentence() -> None:
    runtime = open_runtime(default_checkpoint(), threads=1)
    samples = tuple(Fatal(name, Path("x"), no_truth) for name in "ab")
    with pytest.raises(RitmEdgeError, match=r"was killed, perhaps.*fewer --jobs"):
        list(evaluate_all(runtime, samples, SETTINGS, jobs=2, threads=1))


def test_the_command_measures_saves_and_continues(grabcut: Path, tmp_path: Path) -> None:
    output = tmp_path / "noc.json"
    arguments = ["bench", "noc", "--data", f"GrabCut={grabcut}", str(default_checkpoint())]
    arguments += ["--max-clicks", "2", "--limit", "2", "--no-zoom-in", "-o", str(output)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "2 of 5" in done.output
    document = json.loads(output.read_text())
    (entry,) = document["reports"]
    assert entry["settings"]["threshold"] == 0.49
    assert entry["settings"]["flip"] is True
    assert entry["settings"]["zoom_in"] is None
    assert [each["name"] for each in entry["per_object"]] == ["0", "1"]
    journal = output.with_suffix(".jsonl").read_text().splitlines()
    assert len(journal) == 4
    again = CliRunner().invoke(app, [*arguments, "--json"])
    assert "continuing: 2 of 2 objects" in again.stderr
    assert json.loads(again.stdout)["reports"][0]["per_object"] == entry["per_object"]
    table = CliRunner().invoke(app, [*arguments, "--markdown"]).stdout
    assert table.startswith("| benchmark | file | NoC2@80 |")
    refused = CliRunner().invoke(app, [*arguments, "--json", "--markdown"])
    assert "exclude each other" in str(refused.exception)
    refused = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path)])
    assert isinstance(refused.exception, OutputFileError)
    refused = CliRunner().invoke(app, [*arguments, "--no-flip"])
    assert isinstance(refused.exception, UsageError)
    assert "flip True, now False" in str(refused.exception)


def test_more_clicks_than_slots_are_refused_before_the_work() -> None:
    runtime = BlobRuntime(IOSpec(96, 96, max_clicks=24))
    check_slots(runtime, EvaluationSettings(max_clicks=20))
    check_slots(runtime, EvaluationSettings(max_clicks=100, click_limit=24))
    with pytest.raises(UsageError, match=r"24 slots .* --max-clicks 100.*--click-limit 24"):
        check_slots(runtime, EvaluationSettings(max_clicks=100))


RUN_OF = {"benchmark": "B", "file": "f", "settings": {"flip": True}}
FOREIGN = {
    "one line without its end": b"precious",
    "one line": b"precious\n",
    "two lines": b"precious\nnotes\n",
    "photo": bytes(range(256)),
    "zeros": b"\0" * 100,
    "JSON": b'{"reports": []}\n',
    "number": b"3\n",
    "brackets": b"[" * 9000 + b"\n",
    "rows of a training run": b'{"step": 20, "loss": 0.5, "iou": 0.1}\n',
    "a run of others": b'{"run":"a","benchmark":"B","file":"f"}\n',
    "a later version": b'{"kind":"ritm-edge noc journal","version":2}\n',
    "a space": b" ",
}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_journal_stays_bit_for_bit(tmp_path: Path, kind: str, fresh: bool) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(InputFileError, match="is not a journal of bench noc"):
        Journal(path, fresh=fresh)
    assert path.read_bytes() == FOREIGN[kind]


def filled(path: Path) -> bytes:
    with Journal(path) as journal:
        run, _ = journal.start(RUN_OF)
        for result in report([0.1], [0.2]).results:
            journal.append(run, result)
    return path.read_bytes()


def test_a_journal_has_a_head_and_those_of_earlier_versions_go_on_without(tmp_path: Path) -> None:
    path = tmp_path / "new" / "j.jsonl"
    content = filled(path)
    head = json.loads(content.splitlines()[0])
    assert head == {"kind": "ritm-edge noc journal", "version": 1}
    headless = content[content.index(b"\n") + 1 :]
    for whole in (content, headless):
        path.write_bytes(whole[:-5])
        with Journal(path) as journal:
            run, done = journal.start(RUN_OF)
            assert set(done) == {"0"}
            journal.append(run, report([0.1], [0.2]).results[1])
        assert path.read_bytes() == whole
        with Journal(path, fresh=True) as journal:
            assert journal.start(RUN_OF)[1] == {}
        assert (
            path.read_bytes()
            == content[: len(content) - len(headless)] + headless[: headless.index(b"\n") + 1]
        )


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.touch()
    assert filled(path).startswith(b'{"kind":"ritm-edge noc journal","version":1}\n')


def test_a_new_journal_is_in_its_folder_after_a_power_cut(tmp_path: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: seen.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    path = tmp_path / "new" / "j.jsonl"
    with Journal(path):
        assert seen == [str(tmp_path), str(path), str(path.parent)]
