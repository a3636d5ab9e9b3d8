"""Files of rows, one JSON object a line, that a run continues to write after a crash."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ritm_edge.errors import OutputFileError
from ritm_edge.files import read_file, sync
from ritm_edge.untrusted_json import parse_json

MAX_BYTES = 1 << 28


def refuse_foreign(path: Path, first: str, *others: str) -> None:
    """Raise OutputFileError unless a file is missing or empty, or its first line is cut short or is
    a row that begins with the key `first` and has one of `others`."""
    line = b""
    if path.is_file():
        with suppress(OSError), path.open("rb") as file:  # told by whoever reads or writes it
            line = file.readline(1 << 16)
    elif path.exists():
        line = b"a folder, pipe or device"
    begin = f'{{"{first}": '.encode()
    known = line.startswith(begin) or begin.startswith(line)
    with suppress(ValueError, AttributeError):  # cut short
        known = known and not parse_json(line).keys().isdisjoint(others)
    if not known:
        raise OutputFileError(
            f"{path} holds something that ritm-edge did not write: move it away, or choose "
            "another --output."
        )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows but those that a crash cut short; empty if there is no file. Raises InputFileError:
    the file cannot be read."""
    if not path.exists():
        return []
    lines = read_file(path, most=MAX_BYTES).decode(errors="replace").splitlines()
    rows = []
    for line in lines:
        with suppress(ValueError):
            rows.append(parse_json(line))
    return [row for row in rows if isinstance(row, dict)]


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a file, made if it is missing; they are on the disk when this returns. Raises
    OutputFileError: the file cannot be written."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            begun = file.tell()
            # Whatever a crash cut short must not swallow the next row.
            if begun and (file.seek(begun - 1), file.read(1))[1] != b"\n":
                text = "\n" + text
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if not begun:
            sync(path.parent)
    except OSError as error:
        raise OutputFileError(
            f"cannot write {path}: {error.strerror or os.strerror(error.errno or 5)}; make room "
            "and continue with --resume."
        ) from error
