"""The bytes of a .tflite file, checked, and metadata read without an interpreter.

The TFLite interpreter trusts a file: a damaged one can end the process. Files without a checksum
are therefore refused. That finds damage; it does not make a file safe that somebody built to attack
the interpreter.
"""

import hashlib
import struct
from pathlib import Path

from ..errors import ArtifactError
from ..optional import require
from .checksum import changed, read_whole, require_unchanged

IDENTIFIER = b"TFL3"
IDENTIFIER_OFFSET = 4
# What the first version wrote behind the flatbuffer, where its readers do not look: this mark and
# the SHA-256 of the flatbuffer.
OLD_SEAL_MARK = b"ritm-edge-sha256"
OLD_SEAL_BYTES = len(OLD_SEAL_MARK) + hashlib.sha256().digest_size


def read_flatbuffer(path: Path, *, allow_changed: bool = False) -> bytes:
    """Read a file of ours and return its flatbuffer; `allow_changed` accepts it without checking
    its checksum. Raises ArtifactError: not a .tflite file, or changed after export; InputFileError:
    the file does not exist or cannot be read."""
    data = read_whole(path)
    checked = allow_changed or require_unchanged(path, data)
    start = data[IDENTIFIER_OFFSET : IDENTIFIER_OFFSET + len(IDENTIFIER)]
    if start != IDENTIFIER:
        raise ArtifactError(
            f"{path} is not a TFLite file ({len(data)} bytes, no {IDENTIFIER.decode()} mark): pass "
            "one made by ritm-edge export."
        )
    if data[-OLD_SEAL_BYTES:].startswith(OLD_SEAL_MARK):
        flatbuffer, digest = data[:-OLD_SEAL_BYTES], data[-OLD_SEAL_BYTES + len(OLD_SEAL_MARK) :]
        if not checked and hashlib.sha256(flatbuffer).digest() != digest:
            raise changed(path)
        return flatbuffer
    if not checked:
        raise ArtifactError(
            f"{path} has no checksum: it is truncated or was not made by ritm-edge export; copy or "
            "export it again."
        )
    return data


def metadata_text(flatbuffer: bytes, key: str, path: Path) -> str | None:
    """The metadata entry called `key` of a flatbuffer from `read_flatbuffer`, or None. Raises
    ArtifactError: the flatbuffer is malformed."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite-runtime")
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
