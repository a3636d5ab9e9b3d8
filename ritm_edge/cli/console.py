"""Terminal output shared by the subcommands: tables, progress, JSON, errors.

Tables and JSON go to stdout, everything else (progress, notices, errors) to stderr, so that
`ritm-edge … --json | jq` works.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text


def stderr() -> Console:
    """Console for progress and notices."""
    return Console(stderr=True, highlight=False)


def print_error(message: str) -> None:
    """One sentence on stderr."""
    with suppress(OSError):  # the exit code tells it as well
        text = Text.assemble(("error", "bold red"), " ", printable(message))
        stderr().print(text, soft_wrap=True)


def print_notice(message: str) -> None:
    """One line on stderr."""
    stderr().print(Text(printable(message)), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table on stdout; the first column is left-aligned, numbers to the right."""
    table = Table(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    # Piped output has no terminal width: never wrap cells there.
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(table)


def print_json(values: Any) -> None:
    """Machine-readable result on stdout."""
    typer.echo(json.dumps(values, indent=2))


def progress_bar() -> Progress:
    """A bar with count, elapsed and remaining time, on stderr."""
    times = TimeElapsedColumn(), TimeRemainingColumn()
    return _bar(MofNCompleteColumn(), *times, _Line("{task.fields[status]}"))


@contextmanager
def counting(text: str, status: str = "") -> Iterator[Callable[[int, int], None]]:
    """A bar of one task; yields a function that takes how much is done, and of how much."""
    with progress_bar() as bar:
        task = bar.add_task(text, total=None, status=status)
        yield lambda done, total: bar.update(task, completed=done, total=total, status="")


def download_bar() -> Progress:
    """A bar with bytes, speed and remaining time, on stderr."""
    return _bar(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())


class _Line(TextColumn):
    def render(self, task: Task) -> Text:
        return Text(printable(self.text_format.format(task=task)))


def _bar(*columns: ProgressColumn) -> Progress:
    return Progress(_Line("{task.description}"), BarColumn(), *columns, console=stderr())


def printable(text: object) -> str:
    """One line without what steers a terminal, whatever a file name or a server's answer holds."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text)
    )


def take_over_terminal() -> None:
    """Replace what the terminal cannot show, and keep what native libraries write to stderr away
    from it; what Python writes there goes where it did."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed; the next file that is opened would take its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr.fileno() == 2:
        kept = os.dup(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = os.fdopen(kept, "w", 1, encoding=sys.stderr.encoding, errors="replace")
