"""`ritm-edge report`: results files become one page to read, send and print."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from ..errors import UsageError
from .console import print_notice, stderr
from .options import AllowChanged, Threads, open_data, refuse_foreign, refuse_idle


def command(
    context: typer.Context,
    results: Annotated[
        list[Path],
        Argument(
            metavar="RESULTS…",
            help="JSON files of bench noc, bench latency, bench flops, bench fit, verify --json or "
            "the self-check of a browser.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, Option("--output", "-o", callback=refuse_foreign, help="HTML file to write.")
    ] = Path("report.html"),
    data: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=DIR",
            help="Embed photos of the worst cases from this benchmark; repeatable.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        Option(help="Show masks of the worst cases, from this (the measured) model file."),
    ] = None,
    title: Annotated[str, Option(help="Title of the page.")] = "ritm-edge report",
    threads: Threads = None,
    allow_changed: AllowChanged = False,
) -> None:
    """Put results on one self-contained page for screen, phone and print.

    The page loads nothing from the network and runs no script. Photos are embedded only with
    --data; check their licences before you publish such a page.

    Example: ritm-edge report noc.json latency.json --data GrabCut=data/GrabCut -o report.html
    """
    if model is not None and not data:
        raise UsageError("--model shows masks on photos: pass --data NAME=DIR as well.")
    if model is None:
        refuse_idle(context, "without --model", "threads")

    from ..optional import require

    require("pydantic", extra="report")
    require("jinja2", extra="report")
    from ritm_edge.benchmarks.report.page import render_page
    from ritm_edge.benchmarks.results import noc_runs, read_results

    from ..files import write_output
    from ..runtimes.base import open_runtime
    from ..weights import checkpoint_path

    names = [path.name for path in results]
    if len(set(names)) < len(names):
        names = [str(path) for path in results]
    read = {name: read_results(path) for name, path in zip(names, results, strict=True)}
    opened = [open_data(text) for text in data or []]
    runs = noc_runs(read.values())
    for benchmark in opened:
        if all(run.benchmark != benchmark.name for run in runs):
            raise UsageError(f"no result is from {benchmark.name}: leave its --data out.")
    runtime = None
    if model is not None:
        runtime = open_runtime(checkpoint_path(model), threads=threads, allow_changed=allow_changed)
        if not any(run.sha256 == runtime.sha256 for run in runs):
            print_notice(
                f"{model} is not one of the measured files: its masks may differ from theirs."
            )
    with stderr().status("drawing the page"):
        page = render_page(
            read,
            benchmarks={benchmark.name: benchmark for benchmark in opened},
            runtime=runtime,
            title=title,
        )
    write_output(output, page)
    print_notice(f"saved {output} ({len(page.encode()) / 1e6:.1f} MB)")
