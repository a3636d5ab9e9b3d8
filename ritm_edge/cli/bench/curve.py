"""`ritm-edge bench curve`: loss, IoU and clicks over a training run as a picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ...errors import UsageError
from ...optional import require
from ..console import print_notice
from ..options import parse_pair, refuse_folder


def command(
    logs: Annotated[
        list[Path],
        Argument(
            metavar="RUN|LOG...",
            help="Folders of runs or their log.jsonl; several are phases of a training, in order.",
        ),
    ],
    output: Annotated[
        Path, Option("--output", "-o", callback=refuse_folder, help=".png, .svg or .pdf file.")
    ] = Path("curve.png"),
    noc: Annotated[
        list[str] | None,
        Option(
            metavar="STEP=FILE",
            help="Result of bench noc for the checkpoint after STEP steps, counted over all "
            "phases; repeatable.",
        ),
    ] = None,
) -> None:
    """Draw the loss, the IoU and the NoC20@90 of a training run.

    Example: ritm-edge bench curve runs/first runs/second -o docs/training.png
    """
    require("torch", extra="train")
    from ritm_edge.train.curve import draw_curves, read_curves

    draw_curves(read_curves(logs, dict(_parse(text) for text in noc or [])), output)
    print_notice(f"{output} shows {len(logs)} log{'s' if len(logs) > 1 else ''}")


def _parse(text: str) -> tuple[int, Path]:
    step, path = parse_pair(text, "STEP=FILE", example="2000=noc.json")
    if not step.isdecimal():
        raise UsageError(f"'{text}' is not STEP=FILE: write for example 2000=noc.json.")
    return int(step), Path(path)
