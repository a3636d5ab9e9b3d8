"""A checksum of graph and weights that an artifact carries in its own self-description.

The description stands in the file as plain text. Its entry `content_sha256` is the SHA-256 of the
file's bytes without these 64 digits; if there are several files, of the one that holds the
description and then of the others. It finds damage and edits; it does not prove who made a file.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from ..errors import ArtifactError
from ..files import existing_file

BLANK = "0" * 64
MAX_BYTES = 1 << 31  # offsets of a flatbuffer and lengths of a protobuf reach no further
_KEY = b'"content_sha256"'
_VALUE = re.compile(rb'\s*:\s*"(?=[^"]{64}")')


def read_whole(path: Path) -> bytes:
    """The bytes of an artifact of one file. Raises ArtifactError: a folder, or more than 2 GiB;
    InputFileError: it is not there or cannot be read."""
    path = existing_file(path)
    if path.is_dir() or path.stat().st_size > MAX_BYTES:
        raise ArtifactError(f"{path} is a folder or larger than 2 GiB: pass a {path.suffix} file.")
    return path.read_bytes()


def seal(described: bytes, *others: Any) -> bytes:
    """`described`, which holds the self-description, with the checksum of it and `others` in it."""
    start, digest = _locate(described, others)
    return described[:start] + digest + described[start + len(digest) :]


def require_unchanged(path: Path, described: bytes, *others: Any) -> bool:
    """Whether there is a checksum; artifacts of the first version have none. Raises ArtifactError:
    it is not that of the contents, given as to `seal`."""
    start, digest = _locate(described, others)
    if described[start : start + len(digest)] != digest:
        raise changed(path)
    return bool(digest)


def changed(path: Path) -> ArtifactError:
    """What to raise for a file whose checksum differs."""
    return ArtifactError(
        f"{path} changed after export, so its masks may be wrong: copy or export it again, or pass "
        "--allow-changed (in Python allow_changed=True) if that was on purpose."
    )


def _locate(described: bytes, others: tuple[Any, ...]) -> tuple[int, bytes]:
    """Where the digits stand and which they should be; none where there is no description."""
    key = described.rfind(_KEY)  # from the end, where most files have it
    match = None if key < 0 else _VALUE.match(described, key + len(_KEY))
    if match is None:
        return 0, b""
    view = memoryview(described)
    digest = hashlib.sha256(view[: match.end()])
    for part in (view[match.end() + len(BLANK) :], *others):
        digest.update(part)
    return match.end(), digest.hexdigest().encode()
