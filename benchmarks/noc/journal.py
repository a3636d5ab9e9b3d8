"""A JSONL file to which every finished object is appended, so that a killed run can be resumed.

The first line is `HEAD`, by which a journal is told from any other file; those of earlier versions
begin with what follows it. Per benchmark and measured file there is one line that tells what is
measured,

    {"run": ID, "benchmark": …, "file": …, "sha256": …, "settings": …, "versions": …, "objects": …}

and one line per object, {"of": ID, …} with the keys of `report.object_as_dict`. ID is derived
from the line it stands in: results of another file, other settings or other versions of the
runtimes have another one and are never mixed.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from ritm_edge.errors import InputFileError, OutputFileError, RitmEdgeError, UsageError
from ritm_edge.evaluation.loop import SampleResult
from ritm_edge.files import make_folder, sync
from ritm_edge.untrusted_json import TEXT, parse_json, require_kinds

from .report import object_as_dict, object_from_dict

LONGEST_LINE = 1 << 20
HEAD = {"kind": "ritm-edge noc journal", "version": 1}

# Names for messages of the parts of a run that may have changed.
_PARTS = {
    "sha256": "another file of that name",
    "settings": "other settings",
    "objects": "another copy of the benchmark",
    "versions": "other versions of the packages",
}


class Journal:
    """An open journal, made with its folder if it is not there, and emptied if it is and `fresh`
    says so; use it in a `with` block. Raises InputFileError: the file is not a journal and is left
    unchanged; UsageError: another process is writing it; OutputFileError: it cannot be written."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self.path = path
        self._runs: dict[str, dict[str, Any]] = {}
        self._results: dict[str, dict[str, SampleResult]] = {}
        try:
            make_folder(path.parent)
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, "a folder, a pipe or a device")
            self._file: IO[bytes] = path.open("a+b")
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._lock()
            self._file.seek(0)
            first = self._file.readline(LONGEST_LINE)
            if first and not _begins_a_journal(first):
                raise InputFileError(
                    f"{path} is not a journal of bench noc: pass another --journal; this file "
                    "was not changed."
                )
            if fresh or not first:
                self._file.truncate(0)
                self._write(HEAD)
                sync(path.parent)
            else:
                self._read()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        # Every line was written at once; what is left is one that did not fit on the disk.
        with suppress(OSError):
            self._file.close()

    def start(self, run: Mapping[str, Any]) -> tuple[str, dict[str, SampleResult]]:
        """Begin or continue a run; `run` says what is measured: "benchmark", "file" and everything
        that decides the results. Returns its ID for `append`, and the results that are there
        already, by object. Raises UsageError: the journal holds the same benchmark and file, but
        measured otherwise."""
        values = json.loads(json.dumps(dict(run)))
        identity = _identity(values)
        for other_id, other in self._runs.items():
            same = (other.get("benchmark"), other.get("file")) == (
                values["benchmark"],
                values["file"],
            )
            if same and other_id != identity:
                raise UsageError(
                    f"{self.path} holds results of {values['file']} on {values['benchmark']} from "
                    f"{_what_changed(other, values)}: pass --fresh to measure everything again, or "
                    "another --journal."
                )
        if identity not in self._runs:
            self._runs[identity] = values
            self._write({"run": identity, **values})
        return identity, dict(self._results.get(identity, {}))

    def append(self, run: str, result: SampleResult) -> None:
        """Keep one object's result; it is on the disk when this returns. Raises OutputFileError: it
        cannot be written."""
        self._write({"of": run, **object_as_dict(result)})

    def _write(self, values: Mapping[str, Any]) -> None:
        line = json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._file.write(line.encode(errors="backslashreplace"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{self.path} is being written by another run: wait for it, or pass another "
                "--journal."
            ) from error

    def _read(self) -> None:
        self._file.seek(0)
        good = 0
        lines = iter(partial(self._file.readline, LONGEST_LINE), b"")
        for number, line in enumerate(lines, start=1):
            if len(line) < LONGEST_LINE and not line.endswith(b"\n"):
                break  # a write that was cut off
            try:
                self._take(line)
            except (ValueError, RitmEdgeError) as error:
                if len(line) < LONGEST_LINE and self._file.read(1) == b"":
                    break  # a power cut can leave a last line of any content
                raise InputFileError(
                    f"{self.path} line {number} is not a line of a journal of bench noc: pass "
                    "another --journal, or --fresh to replace the file."
                ) from error
            good += len(line)
        self._file.truncate(good)

    def _take(self, line: bytes) -> None:
        values = parse_json(line.decode())
        if values == HEAD:
            return
        require_kinds(values, {"run?": TEXT, "of?": TEXT})
        if "run" in values:
            identity = str(values.pop("run"))
            if identity != _identity(values):
                raise ValueError("the ID of another run")
            self._runs[identity] = values
            return
        result = object_from_dict(values)
        self._results.setdefault(str(values.get("of")), {})[result.name] = result


def _identity(run: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]


def _begins_a_journal(line: bytes) -> bool:
    """Whether it is the head, or a run whose ID is that of its content."""
    try:
        values = parse_json(line.decode())
        return bool(values == HEAD or values.pop("run") == _identity(values))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _what_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    for key, name in _PARTS.items():
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            for part in sorted(before.keys() | now.keys()):
                if before.get(part) != now.get(part):
                    return f"{name} ({part} {before.get(part)}, now {now.get(part)})"
        return name
    return "another measurement"


def _unwritable(path: Path, error: OSError) -> OutputFileError:
    return OutputFileError(
        f"cannot write {path} ({error.strerror or error}): pass another place with --journal."
    )
