"""Parsing of option values that several subcommands share."""

import re

from ..errors import UsageError

_SIZE = re.compile(r"^(\d{1,5})[xX×](\d{1,5})$")


def parse_size(text: str) -> tuple[int, int]:
    """ "400x600" → (400, 600): height, then width, pixels.

    Raises:
        UsageError: not HxW.
    """
    match = _SIZE.match(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a size: write HEIGHTxWIDTH, for example 400x400.")
    return int(match[1]), int(match[2])
