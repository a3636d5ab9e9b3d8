"""One SQLite file of run-length masks: small, readable by many processes, safe from kill -9."""

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ritm_edge import untrusted_json as untrusted
from ritm_edge.errors import DatasetError, OutputFileError

VERSION = "1"
MAX_BYTES = 50_000_000  # of one photo's annotation, unpacked; real ones have about ten thousand
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS photos (name TEXT PRIMARY KEY, annotation BLOB NOT NULL);
"""
_KINDS = {
    **dict.fromkeys(("height", "width"), untrusted.LENGTH),
    "instances": untrusted.COUNT,
    "masks": untrusted.TEXTS,
    "places": untrusted.list_of(
        ("", lambda value: untrusted.list_of(untrusted.COUNT, "")[1](value) and len(value) == 2),
        "a list of layers and labels",
    ),
    "parents": untrusted.list_of(
        ("", lambda value: value is None or untrusted.COUNT[1](value)), "a list of numbers or null"
    ),
    "counts": untrusted.by_key(untrusted.COUNT, "an object of whole numbers"),
}


@dataclass(frozen=True)
class Annotation:
    """The compressed run lengths of one photo's masks, of which the first `instances` are objects
    and the rest is stuff; the (layer, label) of each mask, and of each object the index of its
    parent or None."""

    height: int
    width: int
    instances: int
    masks: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    parents: tuple[int | None, ...]
    counts: dict[str, int]

    def to_bytes(self) -> bytes:
        return zlib.compress(json.dumps(vars(self)).encode())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Annotation":
        """Checked as a file that somebody else made. Raises ValueError: not such an annotation."""
        values = untrusted.parse_json(_inflate(data), most=MAX_BYTES)
        untrusted.require_kinds(values, _KINDS, "an annotation")
        masks, parents = tuple(values["masks"]), tuple(values["parents"])
        places = tuple((layer, label) for layer, label in values["places"])
        counts, instances = values["counts"], values["instances"]
        size = values["height"], values["width"]
        fits = 0 <= instances == len(parents) <= len(masks) == len(places)
        if not fits or not all(0 <= a < 256 and 0 < b < 255 for a, b in places):
            raise ValueError("an annotation whose parts do not fit together")
        if any(p is not None and not 0 <= p < instances for p in parents):
            raise ValueError("an annotation with an unknown parent")
        return cls(*size, instances, masks, places, parents, counts)


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise ValueError("damaged") from error
    if not inflater.eof:
        raise ValueError("too large or cut")
    return content


class Writer:
    """Adds photos to `path`, made if it is missing and continued otherwise; each call of `add` is
    kept or lost as a whole, whatever happens. `facts`, what the content depends on, must equal
    those of an earlier start. Raises OutputFileError: the place cannot be written (also from the
    methods); DatasetError: `path` is another kind of file, or was begun with other facts."""

    def __init__(self, path: Path, facts: dict[str, str]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputFileError(
                f"cannot write {path}: {error.strerror}; choose another place with --output."
            ) from error
        with self._explained():
            self._base = sqlite3.connect(path)
            tables = "SELECT count(*) FROM sqlite_master WHERE name NOT IN ('facts', 'photos')"
            if self._base.execute(f"{tables} AND type = 'table'").fetchone()[0]:
                raise DatasetError(f"{path} is another program's: choose another --output.")
            self._base.executescript(_TABLES)
            held = dict(self._base.execute("SELECT name, value FROM facts"))
            wanted = {"version": VERSION, **facts}
            for name, value in wanted.items():
                if held.get(name, value) != value:
                    raise DatasetError(
                        f"{path} was begun with {name}={held[name]}, now it is {value}: choose "
                        "another --output, or remove it."
                    )
            self._base.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", wanted.items())
            self._base.commit()

    def names(self) -> set[str]:
        """Photos that are there already."""
        with self._explained():
            return {name for (name,) in self._base.execute("SELECT name FROM photos")}

    def add(self, photos: Iterable[tuple[str, Annotation]]) -> None:
        """Write some photos."""
        rows = [(name, annotation.to_bytes()) for name, annotation in photos]
        with self._explained(), self._base:
            self._base.executemany("INSERT OR REPLACE INTO photos VALUES (?, ?)", rows)

    def finish(self) -> None:
        """Mark the file as complete."""
        with self._explained(), self._base:
            self._base.execute("INSERT OR REPLACE INTO facts VALUES ('complete', 'yes')")

    def annotations(self) -> Iterator[Annotation]:
        """All that is there, in no order."""
        with self._explained():
            for (data,) in self._base.execute("SELECT annotation FROM photos"):
                yield _parsed(data, self.path)

    def close(self) -> None:
        self._base.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # a full disk, no permission, locked
            raise OutputFileError(
                f"cannot write {self.path}: {error}; make room or choose another --output."
            ) from error
        except sqlite3.DatabaseError as error:
            raise DatasetError(
                f"{self.path} is damaged or of another kind ({error}): remove it and start again."
            ) from error


def read_names(path: Path) -> list[str]:
    """Photos of a finished file, sorted. Raises DatasetError: unfinished, damaged or another kind
    of file."""
    with _reading(path) as base:
        facts = dict(base.execute("SELECT name, value FROM facts"))
        if facts.get("version") != VERSION or facts.get("complete") != "yes":
            raise DatasetError(
                f"{path} is not finished or of another version: run ritm-edge data "
                "combine-coco-lvis again."
            )
        return sorted(str(name) for (name,) in base.execute("SELECT name FROM photos"))


def read_annotation(path: Path, name: str) -> Annotation:
    """The masks of one photo. Raises DatasetError: it is not there or damaged."""
    with _reading(path) as base:
        row = base.execute("SELECT annotation FROM photos WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise DatasetError(f"{path} has no masks of {name}: run combine-coco-lvis again.")
    return _parsed(row[0], path)


def _parsed(data: Any, path: Path) -> Annotation:
    try:
        return Annotation.from_bytes(data)
    except (ValueError, TypeError) as error:  # a table holds values of any type
        raise DatasetError(
            f"{path} holds a damaged annotation ({error}): remove it and run combine-coco-lvis "
            "again."
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    # A connection per photo: SQLite's must not cross a fork, and opening one costs little.
    uri = f"file:{quote(os.path.abspath(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as base:
            yield base
    except sqlite3.Error as error:
        raise DatasetError(
            f"{path} cannot be read ({error}): run ritm-edge data combine-coco-lvis again."
        ) from error
