"""Options that several subcommands share, and what is done with their values."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option
from typer.core import TyperCommand

from ..errors import Interrupted, OutputFileError, UsageError
from ..optional import require
from .console import print_json, print_notice

if TYPE_CHECKING:
    from ..data import Benchmark

MAX_REPORT_BYTES = 1 << 28
OUTPUTS = ("output", "overlay", "journal", "plot")  # parameters that name what a command writes


class Command(TyperCommand):
    """A command that overwrites none of its inputs; errors as `refuse_overwriting` and, without
    PyTorch, as `require`."""

    def invoke(self, context: Any) -> Any:
        written = [p for name in OUTPUTS for p in _paths(context.params.get(name))]
        given = (value for name, value in context.params.items() if name not in OUTPUTS)
        refuse_overwriting(written, [p for value in given for p in _paths(value)])
        try:
            return super().invoke(context)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted: no partly written file was left behind.") from error
        except ModuleNotFoundError as error:
            if error.name == "torch":
                require("torch", extra="torch")
            raise


def _paths(value: Any) -> list[Path]:
    """The files that the value of a parameter names, "NAME=FILE" among them."""
    if isinstance(value, list | tuple):
        return [path for each in value for path in _paths(each)]
    if isinstance(value, str) and "=" in value:
        value = Path(value.partition("=")[2])
    return [value] if isinstance(value, Path) and not os.path.isdir(value) else []


def without_session_folders(paths: list[Path] | None) -> list[Path] | None:
    """The files of `artifacts/*`, which names the folders of session graphs too."""
    return [p for p in paths or () if p.suffix != ".session" or not p.is_dir()] or paths


def refuse_overwriting(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Say before any work that a file would be lost. Raises UsageError: an output is an input, or
    another output."""
    for number, path in enumerate(outputs):
        if any(_same_file(path, each) for each in inputs):
            raise UsageError(f"{path} is an input and would be overwritten: use another name.")
        if any(_same_file(path, each) for each in outputs[:number]):
            raise UsageError(f"{path} is named for two outputs: use two names.")


def _same_file(first: Path, second: Path) -> bool:
    if os.path.exists(first) and os.path.exists(second):
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)


def refuse_idle(context: typer.Context, why: str, *names: str) -> None:
    """Raise UsageError if one of the parameters `names` was passed that has no effect `why`, for
    example "without --data"."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{parameter.opts[0]} does nothing {why}: leave it out.")


def refuse_folder(path: Path | None) -> Path | None:
    """Callback of an option that names a file to write; it fails before the work, not after it.
    Raises OutputFileError: it is a folder."""
    if path is not None and os.path.isdir(path):
        raise OutputFileError(f"{path} is a folder: name a file in it.")
    return path


def refuse_foreign(path: Path | None) -> Path | None:
    """Callback like `refuse_folder`, for reports, which may only replace reports of ritm-edge."""
    if refuse_folder(path) == path is not None and os.path.isfile(path):
        with path.open("rb") as file:
            content = file.read(MAX_REPORT_BYTES)
        if content and not (content.startswith((b"{\n", b"<!")) and b"ritm-edge" in content):
            raise OutputFileError(f"{path} is not a report of ritm-edge: choose another name.")
    return path


AsJson = Annotated[bool, Option("--json", help="Print the result as JSON.")]
ReportFile = Annotated[
    Path | None,
    Option(
        "--output", "-o", callback=refuse_foreign, help="Also save the result in this JSON file."
    ),
]
Threads = Annotated[int | None, Option("--threads", min=1, help="CPU threads.")]
AllowChanged = Annotated[
    bool,
    Option("--allow-changed", help="Accept model files that were changed after they were saved."),
]
ObjectLimit = Annotated[
    int | None, Option("--limit", min=1, help="Evaluate only the first N objects.")
]
Changes = Annotated[
    list[str] | None,
    Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
]

Checkpoint = Annotated[
    Path | None, Option("--checkpoint", help="Weights: a file, lite0, or hrnet18s (the default).")
]
InputSize = Annotated[
    str | None, Option("--size", help="Input HEIGHTxWIDTH in pixels; default 400x400.")
]
ClickSlots = Annotated[int, Option("--max-clicks", help="Click slots of each sign.")]

DEFAULT_RECIPE = "hrnet18s-small-crops"

_SIZE = re.compile(r"^(\d{1,5})[xX×](\d{1,5})$")


def parse_size(text: str) -> tuple[int, int]:
    """ "400x600" → (400, 600): height, then width, pixels. Raises UsageError: not HxW."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a size: write HEIGHTxWIDTH, for example 400x400.")
    return int(match[1]), int(match[2])


def open_data(text: str) -> "Benchmark":
    """The benchmark that "GrabCut=some/folder" names. Raises UsageError: not NAME=DIR; and as
    `open_benchmark`."""
    from ..data import open_benchmark

    return open_benchmark(*parse_pair(text, "NAME=DIR", example="GrabCut=data/GrabCut"))


def parse_pair(text: str, form: str, *, example: str) -> tuple[str, str]:
    """The two sides of "left=right". Raises UsageError: one of them is missing; names the form."""
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise UsageError(f"'{text}' is not {form}: write for example {example}.")
    return left, right


def deliver(values: dict[str, Any], output: Path | None, as_json: bool) -> bool:
    """Save what a command measured and print it as JSON, if the user asked for it. Returns whether
    JSON was printed; the command then prints no tables. Raises OutputFileError: it cannot be
    written."""
    if output is not None:
        from ..files import write_output

        write_output(output, json.dumps(values, indent=1) + "\n")
        print_notice(f"saved {output}")
    if as_json:
        print_json(values)
    return as_json
