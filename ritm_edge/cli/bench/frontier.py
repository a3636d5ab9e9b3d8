"""`ritm-edge bench frontier`: clicks against time, from results that were measured."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ...optional import require
from ..console import print_notice, print_table
from ..options import AsJson, ReportFile, deliver, refuse_folder


def command(
    results: Annotated[
        list[Path],
        Argument(
            metavar="RESULTS…",
            help="JSON files of bench noc --protocol app (or --session-graphs) and of bench "
            "latency, measured with the same artifacts.",
        ),
    ],
    plot: Annotated[
        Path | None, Option(callback=refuse_folder, help="Also draw it, as .png, .svg or .pdf.")
    ] = None,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Show which artifact to take: clicks to a good mask against the time of a click.

    The table holds the combinations that no other one beats in both; --json and the file hold all.

    Example: ritm-edge bench frontier noc.json noc-flip.json latency.json --plot frontier.png
    """
    require("pydantic", extra="report")
    from ritm_edge.benchmarks.frontier import (
        COLUMNS,
        as_document,
        draw_frontier,
        frontier,
        frontier_rows,
    )
    from ritm_edge.benchmarks.results import read_results

    points = frontier(read_results(path) for path in results)
    document = as_document(points)
    if plot is not None:
        draw_frontier(points, plot)
        print_notice(f"saved {plot}")
    if not deliver(document, output, as_json):
        best = [each for each in document["points"] if each["best"]]
        print_table(COLUMNS, frontier_rows(best))
        print_notice(f"{len(best)} of {len(points)} combinations are beaten by no other")
