"""The `ritm-edge` command: one file per subcommand, errors in one sentence."""

import os
import sys
import traceback
import warnings
from typing import Annotated

import typer
from typer import Argument, Option

from .. import __version__
from ..errors import BUG, OF_THE_SYSTEM, OutputFileError, RitmEdgeError, UsageError
from . import bench, data, data_coco_lvis, export, golden, predict, report, train, verify, weights
from .console import print_error, printable, take_over_terminal
from .demo import command as demo
from .options import Command

app = typer.Typer(
    name="ritm-edge",
    help="Train, export, verify and time click-based object selection (RITM) for small devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ritm-edge {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the root command."""


@app.command("curve", hidden=True, context_settings={"ignore_unknown_options": True})
def curve(_arguments: Annotated[list[str] | None, Argument(hidden=True)] = None) -> None:
    """The former name of `ritm-edge bench curve`."""
    raise UsageError("ritm-edge curve has become ritm-edge bench curve: use that.")


app.command("train")(train.command)
app.command("export")(export.command)
app.command("verify")(verify.command)
app.command("predict")(predict.command)
app.command("golden")(golden.command)
app.command("demo")(demo)
app.command("report")(report.command)
data.app.command("combine-coco-lvis")(data_coco_lvis.command)
for group in (app, bench.app, data.app, weights.app):
    for each in group.registered_commands:
        each.cls = Command
app.add_typer(bench.app, name="bench")
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Entry point: typed errors become one sentence on stderr and their exit code."""
    take_over_terminal()
    warnings.formatwarning = lambda message, *_place, **_line: f"warning: {printable(message)}\n"
    code = _run()
    try:
        sys.stdout.flush()
    except OSError:  # told already; keep Python from trying again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run() -> int:
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except RitmEdgeError as error:
        print_error(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader (head, less) has ended, which is not an error
        return 0
    except SystemExit as error:  # of Typer, which ends there where it prints into a closed pipe
        return 0 if isinstance(error.__context__, BrokenPipeError) else int(error.code or 0)
    except Exception as error:
        return _explain(error)


def _explain(error: Exception) -> int:
    """Print what is not an error of ours; returns the exit code."""
    if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
        print_error(
            f"cannot read or write {error.filename or 'the output'}: {error.strerror}; make room, "
            "or choose another place."
        )
        return OutputFileError.exit_code
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        print_error("there is not enough memory: end other programs, or use smaller inputs.")
        return RitmEdgeError.exit_code
    if hasattr(error, "format_message"):  # of Typer, about the command line
        message: str = error.format_message()
        if "\n" in message:  # the help, where no command is given
            typer.echo(message, err=True)
        else:
            print_error(f"{message.rstrip('.')}: see --help.")
        return UsageError.exit_code
    traceback.print_exception(error)
    return BUG
