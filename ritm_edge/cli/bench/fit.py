"""`ritm-edge bench fit`: compares ways of showing crops to a graph of fixed size."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ...errors import UsageError
from ..console import counting, print_table
from ..options import AllowChanged, AsJson, ObjectLimit, ReportFile, deliver, open_data


def command(
    file: Annotated[
        Path | None,
        Argument(
            metavar="ARTIFACT|CHECKPOINT",
            help="A model that takes any size; default: the embedded weights.",
        ),
    ] = None,
    data: Annotated[str, Option(metavar="NAME=DIR", help="Benchmark and its folder.")] = "",
    limit: ObjectLimit = None,
    flip: Annotated[bool, Option(help="Average with the mirror image.")] = False,
    threads: Annotated[int, Option(min=1, help="CPU threads.")] = 1,
    allow_changed: AllowChanged = False,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare context, letterbox and stretch, and several graph shapes, along published sessions.

    After clicks 1, 2, 3, 5, 8, … of sessions with the published zoom-in, each alternative gets the
    same inputs; the table shows the difference of its IoU from that of the published zoom-in.

    Example: ritm-edge bench fit --data GrabCut=data/GrabCut -o fixed-size.json
    """
    if not data:
        raise UsageError("no benchmark: pass --data NAME=DIR, for example GrabCut=data/GrabCut.")

    from ritm_edge.benchmarks.fit import compare_fits
    from ritm_edge.benchmarks.fit_table import COLUMNS, fit_rows

    from ...runtimes.base import open_runtime
    from ...weights import checkpoint_path

    benchmark = open_data(data)
    runtime = open_runtime(checkpoint_path(file), threads=threads, allow_changed=allow_changed)
    with counting(f"fit {benchmark.name}") as progress:
        report = compare_fits(runtime, benchmark, flip=flip, limit=limit, progress=progress)
    if not deliver(report, output, as_json):
        print_table(COLUMNS, fit_rows(report))
