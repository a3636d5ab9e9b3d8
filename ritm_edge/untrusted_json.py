"""JSON from files that somebody else made."""

import json
from typing import Any

MAX_BRACKETS = 10_000


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
