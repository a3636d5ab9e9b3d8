"""JSON from files that somebody else made."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

MAX_BRACKETS = 10_000
MAX_DEPTH = 40
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
# What an entry of an object may be: in words, and the test. A boolean is no number, no text is.
MOST = 1 << 53  # as far as whole numbers of JavaScript go
Kind = tuple[str, Callable[[Any], bool]]
FLAG: Kind = ("true or false", lambda value: isinstance(value, bool))
COUNT: Kind = ("a whole number from 0", lambda value: type(value) is int and 0 <= value <= MOST)
LENGTH: Kind = ("a whole number from 1", lambda value: COUNT[1](value) and value > 0)
MEASURE: Kind = (
    "a number from 0",
    lambda value: type(value) in (int, float) and 0 <= value <= MOST,
)
TEXT: Kind = ("a text of one line", lambda value: isinstance(value, str) and value.isprintable())
TEXTS: Kind = (
    "a list of texts",
    lambda value: isinstance(value, list) and all(map(TEXT[1], value)),
)
TEXT_BY_KEY: Kind = (
    "an object of texts",
    lambda value: isinstance(value, dict) and all(map(TEXT[1], value.values())),
)
SHA256: Kind = (
    "64 hexadecimal digits",
    lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
)


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
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("brackets nested too deeply") from error


def require_kinds(value: Any, kinds: Mapping[str, Any], name: str = "it") -> None:
    """Check known entries of a parsed object; others do not matter.

    Args:
        value: what may be an object.
        kinds: by key a `Kind`, or such a mapping for an object inside; an entry whose key here ends
            in "?" may be null or missing.
        name: of the object, for the message.

    Raises:
        ValueError: no object, or an entry that is missing or of another kind.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {repr(value)[:40]} instead of an object")
    for known, kind in kinds.items():
        key = known.removesuffix("?")
        entry = value.get(key)
        if entry is None and key != known:
            continue
        if isinstance(kind, Mapping):
            require_kinds(entry, kind, key)
        elif not kind[1](entry):
            raise ValueError(f"{key} is {repr(entry)[:40]} instead of {kind[0]}")


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
