"""Options that several subcommands share, and what is done with their values."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OutputFileError, UsageError
from .console import print_notice


def refuse_folder(path: Path | None) -> Path | None:
    """Callback of an option that names a file to write: says so before the work, not after.

    Raises:
        OutputFileError: a folder.
    """
    if path is not None and path.is_dir():
        raise OutputFileError(f"{path} is a folder: name a file in it.")
    return path


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", callback=refuse_folder, help="Also save the result as JSON here."
    ),
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")]
AllowChanged = Annotated[
    bool,
    typer.Option("--allow-changed", help="Also open a model file that changed after it was made."),
]
ObjectLimit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first so many objects.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; repeatable."),
]

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


def save_report(values: dict[str, Any], path: Path) -> None:
    """Write what a command measured, and say where.

    Raises:
        OutputFileError: it cannot be written.
    """
    from ..files import atomic_output

    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print_notice(f"saved {path}")
