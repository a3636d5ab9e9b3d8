"""Terminal output shared by the subcommands: tables, progress, JSON, errors.

Tables and JSON go to stdout, everything else (progress, notices, errors) to stderr, so that
`ritm-edge … --json | jq` works.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table


def stderr() -> Console:
    """Console for progress and notices."""
    return Console(stderr=True, highlight=False)


def print_error(message: str) -> None:
    """One sentence on stderr."""
    stderr().print(f"[bold red]error[/] {_escape(message)}", soft_wrap=True)


def print_notice(message: str) -> None:
    """One line on stderr."""
    stderr().print(_escape(message), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table on stdout; the first column is left-aligned, numbers to the right."""
    table = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_escape(cell) for cell in row))
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
    return _bar(MofNCompleteColumn(), *times, TextColumn("{task.fields[status]}"))


@contextmanager
def counting(text: str, status: str = "") -> Iterator[Callable[[int, int], None]]:
    """A bar of one task; yields a function that takes how much is done, and of how much."""
    with progress_bar() as bar:
        task = bar.add_task(text, total=None, status=status)
        yield lambda done, total: bar.update(task, completed=done, total=total, status="")


def download_bar() -> Progress:
    """A bar with bytes, speed and remaining time, on stderr."""
    return _bar(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())


def _bar(*columns: ProgressColumn) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, console=stderr())


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
