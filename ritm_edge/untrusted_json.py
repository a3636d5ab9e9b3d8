"""JSON from files that somebody else made."""

import json
import re
from typing import Any

MAX_BRACKETS = 10_000
MAX_DEPTH = 40
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def parse_json(text: str | bytes) -> Any:
    """`json.loads` that a file cannot use to overflow the C stack.

    Python's own protection is the recursion limit, and large libraries (coremltools among them)
    raise it beyond what the stack holds. Our texts have a few dozen brackets.

    Raises:
        ValueError: no JSON, or absurdly many brackets.
    """
    data = text.encode() if isinstance(text, str) else text
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise ValueError(f"more than {MAX_BRACKETS} brackets")
    return json.loads(text)


def parse_long_json(text: str | bytes) -> Any:
    """`parse_json` for texts with many brackets, as lists of measurements: their depth counts.

    Raises:
        ValueError: no JSON, or nested deeper than 40.
    """
    data = text.encode() if isinstance(text, str) else text
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", data)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(text)
