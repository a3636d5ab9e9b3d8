"""Frozen dataclasses that check their values and name those that are wrong.

pydantic does the checking and the parsing of text; here its errors become one sentence.
"""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from ritm_edge.errors import UsageError
from ritm_edge.untrusted_json import shown

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass whose constructor checks types and ranges.

    The constructor raises UsageError with the first value that cannot be used.
    """
    # As given, not copied: a section is immutable, and checked when it was made.
    config = ConfigDict(extra="forbid", validate_default=True, revalidate_instances="never")
    made = checked_dataclass(frozen=True, config=config)(cls)
    construct = made.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            construct(self, *args, **kwargs)
        except ValidationError as error:
            raise UsageError(_sentence(made, error)) from None

    made.__init__ = __init__  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def from_json(cls: type[T], values: Mapping[str, Any]) -> T:
    """Settings whose sections are parsed JSON: a number is not a text there, nor a switch a number.
    Raises UsageError: as the constructor."""
    try:
        return TypeAdapter(cls).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise UsageError(_sentence(cls, error)) from None


def as_dict(values: Any) -> dict[str, Any]:
    """Nested plain values (dict, list, str, numbers), so that checkpoints load without code."""
    plain: dict[str, Any] = TypeAdapter(type(values)).dump_python(values, mode="json")
    return plain


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"optimizer": {"lr": 1}} → {"optimizer.lr": 1}; what is not a section stays as it is."""
    flat: dict[str, Any] = {}
    for section, content in values.items():
        if isinstance(content, Mapping):
            flat.update({f"{section}.{key}": value for key, value in content.items()})
        else:
            flat[section] = content
    return flat


def override(values: T, assignments: Iterable[str]) -> T:
    """A copy of settings whose fields are sections, with some changed: "section.key=value", where
    lists are separated by commas ("50,53"), sizes written HxW, mappings as "a:0.5,b:1". Raises
    UsageError: no such key (with the nearest name), a value of another type or out of range, or
    text that is not an assignment."""
    changed = as_dict(values)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        section, dot, key = path.strip().partition(".")
        if not equals or not dot or not key:
            raise UsageError(
                f"'{assignment}' is not a setting: write SECTION.KEY=VALUE, "
                "for example optimizer.lr=0.001."
            )
        changed.setdefault(section, {})[key] = text.strip()
    return type(values)(**changed)


def _sentence(cls: type, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    known = _names(cls)
    # What follows the setting's own name is a place inside its value.
    depth = 2 if "." in known[0] else 1
    name = ".".join(str(part) for part in first["loc"][:depth])
    if first["type"] == "unexpected_keyword_argument":
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
        return f"unknown setting '{name}': {hint}"
    if first["type"] in ("missing", "too_long", "too_short"):
        return f"{name} has a wrong number of values: see --dry-run for how it is written."
    what = first["msg"].removeprefix("Value error, ").removeprefix("Input should").strip()
    expected = f"it should {what}" if what.startswith(("be ", "have ", "'")) else what
    return f"{name} is {shown(first['input'])}: {expected}."


def _names(cls: type, prefix: str = "") -> list[str]:
    names: list[str] = []
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(field.type):
            names += _names(field.type, f"{prefix}{field.name}.")  # type: ignore[arg-type]
        else:
            names.append(f"{prefix}{field.name}")
    return names
