"""Rows in files: kept over crashes and power cuts, and never mixed with another program's."""

import json
import os
from pathlib import Path

import pytest

from ritm_edge.errors import OutputFileError
from ritm_edge.train.broken import BrokenFiles, Problem
from ritm_edge.train.rows import append_rows, read_rows
from ritm_edge.train.run_log import RunLog

FOREIGN = {
    "text": b"my notes\nwith two lines\n",
    "one line": b"my notes",
    "rows of others": b'{"epoch": 1, "loss": 2}\n',
    "another trainer": b'{"step": 1, "train_loss": 2}\n',
    "list": b"[1, 2]\n",
    "binary": bytes(range(256)),
    "zeros": b"\0" * 40,
    "brackets": b"[" * 50_000,
}


def log(path: Path) -> None:
    RunLog(path, done=0)


def resumed_log(path: Path) -> None:
    RunLog(path, done=10)


def broken(path: Path) -> None:
    BrokenFiles(path, photos=1).add([Problem("a.jpg", "bad")])


@pytest.mark.parametrize("open_file", [log, resumed_log, broken])
@pytest.mark.parametrize("kind", FOREIGN)
def test_files_of_other_programs_stay(tmp_path, open_file, kind):
    path = tmp_path / "a.jsonl"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(OutputFileError, match="did not write: move it away"):
        open_file(path)
    assert path.read_bytes() == FOREIGN[kind]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"st',
        b'{"step": 20, "lo',
        b'{"step": 20, "loss": 0.5, "iou": 0.1}\n',
        b'{"step": 20, "validation": {}, "seconds": 1}\n{"step": 40, "l',
    ],
)
def test_a_log_of_ours_is_begun_anew_by_a_new_run(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    RunLog(path, done=0)
    assert path.read_bytes() == b""


def test_a_row_that_a_crash_cut_short_swallows_no_other(tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(b'{"image": "a.jpg", "prob')
    for name in ("b.jpg", "c.jpg"):
        BrokenFiles(path, photos=1000).add([Problem(name, "bad")])
    assert [row["image"] for row in read_rows(path)] == ["b.jpg", "c.jpg"]


def test_appended_rows_are_on_the_disk_when_the_call_returns(tmp_path, monkeypatch):
    seen = []

    def fsync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        seen.append((path.name, path.read_text() if path.is_file() else None))

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "log.jsonl"
    rows = [{"step": 1}, {"step": 2}]
    for row in rows:
        append_rows(path, [row])
    lines = [json.dumps(row) + "\n" for row in rows]
    assert seen == [(path.name, lines[0]), (tmp_path.name, None), (path.name, "".join(lines))]
