"""JSON from files that somebody else made."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

MAX_DEPTH = 40
MAX_BYTES = 1 << 20  # of a description or a line
MAX_DIGITS = 19  # of a whole number: 64 bits
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# What an entry of an object may be: in words, and a test. A boolean is not a number.
MOST = 1 << 53  # the largest exact whole number in JavaScript
Kind = tuple[str, Callable[[Any], bool]]
FLAG: Kind = ("true or false", lambda value: isinstance(value, bool))
COUNT: Kind = ("a whole number from 0", lambda value: type(value) is int and 0 <= value <= MOST)
LENGTH: Kind = ("a whole number from 1", lambda value: COUNT[1](value) and value > 0)
MEASURE: Kind = (
    "a number from 0",
    lambda value: type(value) in (int, float) and 0 <= value <= MOST,
)
NUMBER: Kind = ("a number", lambda value: type(value) in (int, float) and abs(value) <= MOST)
TEXT: Kind = ("a text of one line", lambda value: isinstance(value, str) and value.isprintable())


def list_of(kind: Kind, words: str) -> Kind:
    """A list whose values are all of a kind."""
    return words, lambda value: isinstance(value, list) and all(map(kind[1], value))


def by_key(kind: Kind, words: str) -> Kind:
    """An object whose values are all of a kind."""
    return words, lambda value: isinstance(value, dict) and all(map(kind[1], value.values()))


TEXTS = list_of(TEXT, "a list of texts")
TEXT_BY_KEY = by_key(TEXT, "an object of texts")
SHA256: Kind = (
    "64 hexadecimal digits",
    lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
)


def parse_json(text: str | bytes, *, most: int = MAX_BYTES) -> Any:
    """`json.loads` for texts of somebody else: brackets cannot overflow the C stack (Python's own
    protection is the recursion limit, which large libraries raise beyond what the stack holds), and
    no number or text comes out that other code cannot print or compute with.

    Raises:
        ValueError: no JSON, more than `most` bytes, nested deeper than 40, a whole number of more
            than 64 bits, or half of a surrogate pair.
    """
    data = text.encode() if isinstance(text, str) else text
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes, more than {most}")
    outside = b"".join(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(bytes.maketrans(b"{}", b"[]"), _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")  # a level less
    if brackets:
        raise ValueError(f"cut short, or nested deeper than {MAX_DEPTH}")
    values = json.loads(data.decode("utf-8-sig"), parse_int=_whole)
    if _SURROGATE.search(data):
        try:
            json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("half of a surrogate pair") from error
    return values


def _whole(digits: str) -> int:
    count = len(digits.lstrip("-"))
    if count > MAX_DIGITS:
        raise ValueError(f"a whole number of {count} digits")
    return int(digits)


def shown(value: Any) -> str:
    """A value of somebody else for a message: at most 40 characters, on one line."""
    try:
        return repr(value)[:40]
    except Exception:  # a number of thousands of digits, or an object of another library
        return f"a {type(value).__name__}"


def require_kinds(value: Any, kinds: Mapping[str, Any], name: str = "it") -> None:
    """Check known entries of a parsed object, called `name` in the message; others are ignored.
    `kinds` has by key a `Kind`, or such a mapping for an object inside; an entry whose key there
    ends in "?" may be null or missing. Raises ValueError: no object, or an entry that is missing or
    of another kind."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value)} instead of an object")
    for known, kind in kinds.items():
        key = known.removesuffix("?")
        entry = value.get(key)
        if entry is None and key != known:
            continue
        if isinstance(kind, Mapping):
            require_kinds(entry, kind, key)
        elif not kind[1](entry):
            raise ValueError(f"{key} is {shown(entry)} instead of {kind[0]}")
