"""The JSON Schema of self-descriptions, and what of JSON Schema it uses."""

import json
import re
from typing import Any

from .paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "artifact-metadata.schema.json").read_text())
TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
KNOWN_WORDS = {
    "$schema", "title", "description", "type", "required", "properties", "additionalProperties",
    "items", "minimum", "maximum", "pattern",
}  # fmt: skip


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """JSON Schema, as far as ours goes; a word that is not known here fails the test."""
    assert set(schema) <= KNOWN_WORDS
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(TYPES[kind](value) for kind in kinds):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return all(fits(item, schema["items"]) for item in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        return value.keys() >= set(schema.get("required", ())) and all(
            fits(item, known[key]) if key in known else others is None or fits(item, others)
            for key, item in value.items()
        )
    if value is None or isinstance(value, bool):
        return True
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
