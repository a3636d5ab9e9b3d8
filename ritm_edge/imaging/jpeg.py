"""JPEGs without end marker, and libjpeg's warnings, which Pillow drops and OpenCV prints."""

import os
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

_SCAN, _END = b"\xff\xda", b"\xff\xd9"  # neither occurs within image data
_BASELINE, _TABLES = b"\xff\xc0", b"\xff\xc4"
_DAMAGE = ("Corrupt JPEG data", "Premature end", "Inconsistent progression", "Invalid SOS")
_STDERR = 2
_lock = threading.Lock()  # one thread at a time may turn stderr aside


def read_whole(path: Path) -> tuple[bytes, str]:
    """The file, with an end marker in any case, and a warning about damage or nothing. Raises
    ValueError: more than the end marker is missing."""
    content = path.read_bytes()
    is_cut = content.rfind(_END) < content.rfind(_SCAN)
    content += _END if is_cut else b""
    said = _said(content).splitlines(keepends=True)
    warnings = [line.strip() for line in said if line.startswith(_DAMAGE)]
    if others := [line for line in said if not line.startswith(_DAMAGE)]:
        sys.stderr.writelines(others)  # what another thread printed meanwhile
    if is_cut and warnings:
        raise ValueError("image file is truncated")
    zeroed = "zeroed bytes in its image data" if _is_zeroed(content) else ""
    return content, warnings[0] if warnings else zeroed


def _is_zeroed(content: bytes) -> bool:
    """Whether the last scan of a baseline JPEG has more zeros in a row than its Huffman tables
    give: libjpeg takes them for coefficients and is often back in step without a warning."""
    frame, scan = content.rfind(_BASELINE), content.rfind(_SCAN)
    if bytes(24) not in content[scan : content.find(_END, scan)]:
        return False
    first_symbols = []  # of AC tables, those whose code is all zeros; 0 ends a block
    for tables in content[frame:scan].split(_TABLES)[1:]:
        place = 2
        while place + 17 < len(tables):
            if tables[place] >> 4:
                first_symbols.append(tables[place + 17])
            place += 17 + sum(tables[place + 1 : place + 17])
    return any(first_symbols)


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
