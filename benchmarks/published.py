"""Published numbers with their sources, from `published.json` beside this file."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def published() -> dict[str, Any]:
    """The whole file."""
    text = files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values
