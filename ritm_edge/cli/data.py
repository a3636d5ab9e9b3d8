"""`ritm-edge data …`: data sets on this disk."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from ..errors import InputFileError
from ..tables import UNMEASURED
from .console import counting, print_json, print_notice, print_table
from .options import AsJson

SHOWN = 20  # notes and problems printed; all are in the JSON

app = typer.Typer(help="Check and prepare data sets.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Check and prepare data sets."""


@app.command("check")
def check(
    folder: Annotated[
        Path, Argument(metavar="DIR", help="A benchmark in its official layout, or yours.")
    ],
    name: Annotated[
        str | None,
        Option("--as", metavar="NAME", help="Name of the benchmark; recognised by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recognise a benchmark, decode its photos and masks, and compare counts with the published.

    The exit code is 4 if something is wrong.

    Example: ritm-edge data check data/GrabCut
    """
    from ..data.check import check_folder

    with counting(f"check {folder.name}") as progress:
        report = check_folder(folder, name, progress=progress)
    if as_json:
        print_json(report.as_dict())
    else:
        published = report.published
        print_table(
            ("benchmark", "photos", "published", "objects", "published", "ignored"),
            [
                (
                    report.benchmark,
                    str(report.photos),
                    UNMEASURED if published is None else str(published.photos),
                    str(report.objects),
                    UNMEASURED if published is None else str(published.objects),
                    f"{100 * report.ignored_pixels:.2f} %",
                )
            ],
        )
        for lines in (report.notes, report.problems):
            for line in lines[:SHOWN]:
                print_notice(line)
            if len(lines) > SHOWN:
                print_notice(f"… and {len(lines) - SHOWN} more: --json lists all")
    if report.problems:
        raise InputFileError(
            f"{folder} is not a sound {report.benchmark}: {len(report.problems)} problems, the "
            f"first: {report.problems[0]}"
        )
