"""The bytes of a .tflite file: a checksum at the end, and metadata read without an interpreter.

The TFLite interpreter trusts a file: a damaged one can end the process. Files of ours therefore
carry a SHA-256 of themselves after the flatbuffer, where readers of flatbuffers do not look, and
are checked against it first. That finds damage; it does not make a file safe that somebody built
to attack the interpreter.
"""

import hashlib
import struct
from pathlib import Path

from .errors import ArtifactError
from .files import existing_file
from .optional import require

IDENTIFIER = b"TFL3"
IDENTIFIER_OFFSET = 4
SEAL_MARK = b"ritm-edge-sha256"  # 16 bytes
SEAL_BYTES = len(SEAL_MARK) + hashlib.sha256().digest_size
MAX_BYTES = 1 << 31  # a flatbuffer's offsets reach no further


def seal(flatbuffer: bytes) -> bytes:
    """The flatbuffer with its checksum after it."""
    return flatbuffer + SEAL_MARK + hashlib.sha256(flatbuffer).digest()


def unseal(path: Path) -> bytes:
    """Read a sealed file and return its flatbuffer.

    Raises:
        ArtifactError: not a .tflite file, not made by this project, or changed since.
        InputFileError: the file does not exist or cannot be read.
    """
    path = existing_file(path)
    if path.is_dir():
        raise ArtifactError(f"{path} is a folder: pass a .tflite file.")
    if path.stat().st_size > MAX_BYTES:
        raise ArtifactError(
            f"{path} is larger than 2 GiB: no .tflite file can be, export it again."
        )
    data = path.read_bytes()
    start = data[IDENTIFIER_OFFSET : IDENTIFIER_OFFSET + len(IDENTIFIER)]
    if start != IDENTIFIER:
        raise ArtifactError(
            f"{path} is not a TFLite file ({len(data)} bytes, no {IDENTIFIER.decode()} mark): pass "
            "one made by ritm-edge export."
        )
    flatbuffer, mark, digest = (
        data[:-SEAL_BYTES],
        data[-SEAL_BYTES : -SEAL_BYTES + len(SEAL_MARK)],
        data[-SEAL_BYTES + len(SEAL_MARK) :],
    )
    if mark != SEAL_MARK:
        raise ArtifactError(
            f"{path} has no checksum at its end: it is truncated or was not made by ritm-edge "
            "export; copy or export it again."
        )
    if hashlib.sha256(flatbuffer).digest() != digest:
        raise ArtifactError(
            f"{path} does not match its own checksum, so it was damaged or edited: copy or export "
            "it again."
        )
    return flatbuffer


def metadata_text(flatbuffer: bytes, key: str, path: Path) -> str | None:
    """The metadata entry called `key`, or None.

    Args:
        flatbuffer: from `unseal`.
        key: name of the entry.
        path: for messages.

    Raises:
        ArtifactError: the flatbuffer is malformed.
    """
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    try:
        model = schema.Model.GetRootAs(flatbuffer, 0)
        for index in range(model.MetadataLength()):
            entry = model.Metadata(index)
            if entry.Name() == key.encode():
                return bytes(model.Buffers(entry.Buffer()).DataAsNumpy()).decode()
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path} holds a malformed flatbuffer ({type(error).__name__}): export it again."
        ) from error
    return None
