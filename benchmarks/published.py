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


def table_4(model: str, decoder_channels: int | None) -> dict[str, Any] | None:
    """The paper's row about a network: "flops" at 400×400; None where it has none."""
    for row in published()["flops"]["rows"]:
        if (row["model"], row["decoder_channels"]) == (model, decoder_channels):
            found: dict[str, Any] = row
            return found
    return None
