"""`ritm-edge bench fit`: ways to show crops to a graph of fixed size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import UsageError
from ..console import UNMEASURED, print_json, print_table, progress_bar
from ..options import AllowChanged, AsJson, ObjectLimit, ReportFile, parse_data, save_report


def command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="ARTIFACT|CHECKPOINT",
            help="A model for any size; default: the embedded weights.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str, typer.Option("--data", metavar="NAME=DIR", help="Benchmark and its folder.")
    ] = "",
    limit: ObjectLimit = None,
    flip: Annotated[bool, typer.Option(help="Average with the mirrored image.")] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    allow_changed: AllowChanged = False,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare context, letterbox, stretch and several graph shapes along published sessions.

    After clicks 1, 2, 3, 5, 8, … of sessions with the published zoom-in, the same inputs are shown
    through each alternative; the table has the IoU's difference to the published answer.

    Example: ritm-edge bench fit --data GrabCut=data/GrabCut -o fixed-size.json
    """
    if not data:
        raise UsageError("no benchmark: pass --data NAME=DIR, for example GrabCut=data/GrabCut.")

    from ritm_edge.benchmarks.fit import compare_fits

    from ...data import open_benchmark
    from ...runtimes.base import open_runtime
    from ...weights import checkpoint_path

    benchmark = open_benchmark(*parse_data(data))
    runtime = open_runtime(checkpoint_path(file), threads=threads, allow_changed=allow_changed)
    with progress_bar() as progress:
        task = progress.add_task(f"fit {benchmark.name}", total=None, status="")
        report = compare_fits(
            runtime,
            benchmark,
            flip=flip,
            limit=limit,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if output is not None:
        save_report(report, output)
    if as_json:
        print_json(report)
        return
    print_table(
        ("alternative", "whole photo", "zoomed", "all", "95 %", "same mask"),
        [_row(entry) for entry in report["alternatives"]],
    )


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    means = [entry["difference"][group] for group in ("whole", "zoomed", "all")]
    low, high = means[-1]["interval"]
    return (
        entry["name"],
        *(UNMEASURED if mean is None else f"{mean['mean']:+.4f}" for mean in means),
        f"{low:+.4f}…{high:+.4f}",
        f"{entry['agreement']:.3f}",
    )
