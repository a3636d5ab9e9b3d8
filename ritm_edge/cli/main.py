"""The `ritm-edge` command: one file per subcommand, errors in one sentence."""

import os
import sys
import warnings
from typing import Annotated

import typer
from typer import Argument, Option

from .. import __version__
from ..errors import RitmEdgeError, UsageError
from . import bench, data, data_coco_lvis, export, golden, predict, report, train, verify, weights
from .console import print_error
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
    warnings.formatwarning = lambda message, *_place, **_line: f"warning: {message}\n"
    try:
        app()
    except RitmEdgeError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print_error("interrupted: no partly written file was left behind.")
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has ended, which is not an error. Keep Python from reporting it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
