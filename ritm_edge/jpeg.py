"""JPEGs without end marker, and libjpeg's warnings, which Pillow drops and OpenCV prints."""

import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

_SCAN, _END = b"\xff\xda", b"\xff\xd9"  # neither occurs within image data
_DAMAGE = ("Corrupt JPEG data", "Premature end", "Inconsistent progression", "Invalid SOS")
_STDERR = 2
_lock = threading.Lock()  # one thread at a time may turn stderr aside


def read_whole(path: Path) -> tuple[bytes, str]:
    """The file, with an end marker in any case, and the decoder's first warning about damage.

    Raises:
        ValueError: more than the end marker is missing.
    """
    content = path.read_bytes()
    is_cut = content.rfind(_END) < content.rfind(_SCAN)
    content += _END if is_cut else b""
    warnings = [line for line in _said(content).splitlines() if line.startswith(_DAMAGE)]
    if is_cut and warnings:
        raise ValueError("image file is truncated")
    return content, warnings[0] if warnings else ""


def _said(content: bytes) -> str:
    with _lock, suppress(OSError, cv2.error), tempfile.TemporaryFile() as file:
        kept = os.dup(_STDERR)  # OSError where there is none
        os.dup2(file.fileno(), _STDERR)
        try:  # the cheapest way through all of the compressed data
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            file.seek(0)
            text = file.read().decode(errors="replace")
        return text
    return ""
