"""The bytes of a .pte file, checked, and its self-description, read without ExecuTorch.

ExecuTorch trusts a file: some damaged ones end the process, others give another mask. Only files
with a matching checksum reach it. That finds damage; it does not make a file safe that somebody
built to attack the runtime.
"""

import re
from pathlib import Path

from ..errors import ArtifactError, ConversionError
from ..files import write_output
from .checksum import read_whole, require_unchanged, seal

IDENTIFIER = b"ET12"
IDENTIFIER_OFFSET = 4
# The description is what the constant method `ritm_edge` returns. Nothing else in the file moves
# when it is written, because it always has this length, filled up with spaces.
ROOM = 1 << 14
BLANK_DESCRIPTION = "{}".ljust(ROOM)
# As a flatbuffer holds a text: its length, the characters, a zero.
_TEXT = re.compile(re.escape(ROOM.to_bytes(4, "little")) + rb"(\{[ -~]{%d})\x00" % (ROOM - 1))


def read_program(path: Path, *, allow_changed: bool = False) -> tuple[bytes, str]:
    """Read a file of ours: the program, and the self-description in it. `allow_changed` accepts it
    without checking its checksum. Raises ArtifactError: not a .pte file of ours, or changed after
    export; InputFileError: it does not exist or cannot be read."""
    data = read_whole(path)
    checked = allow_changed or require_unchanged(path, data)
    place = _find(path, data)
    if not checked:
        raise ArtifactError(
            f"{path} has no checksum: it is truncated or was not made by ritm-edge export; copy or "
            "export it again."
        )
    return data, data[place].decode()


def stamp(path: Path, text: str) -> None:
    """Write the self-description, with its checksum, into a file from the exporter. Raises
    ArtifactError: `path` is damaged or another kind of file; ConversionError: the text is too
    long."""
    data = read_whole(path)
    place = _find(path, data)
    if len(text) > ROOM:
        raise ConversionError(
            f"the description of {path} has {len(text)} characters and a .pte file has room for "
            f"{ROOM}: keep fewer layers with --keep-float."
        )
    described = data[: place.start] + text.ljust(ROOM).encode() + data[place.stop :]
    write_output(path, seal(described))


def _find(path: Path, data: bytes) -> slice:
    """Where the description stands, whatever it says."""
    found = _TEXT.search(data)
    start = data[IDENTIFIER_OFFSET : IDENTIFIER_OFFSET + len(IDENTIFIER)]
    if start != IDENTIFIER or found is None:
        raise ArtifactError(
            f"{path} is not an ExecuTorch file of ritm-edge ({len(data)} bytes, no "
            f"{'description' if start == IDENTIFIER else IDENTIFIER.decode() + ' mark'}): pass one "
            "made by ritm-edge export."
        )
    return slice(*found.span(1))
