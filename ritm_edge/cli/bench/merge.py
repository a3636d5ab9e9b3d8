"""`ritm-edge bench merge`: the results of several shards as one."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ...errors import InputFileError
from ...optional import require
from ..console import print_notice, print_table
from ..options import refuse_foreign


def command(
    shards: Annotated[
        list[Path],
        Argument(metavar="RESULTS…", help="What bench noc --shard 1/N … N/N saved, in any order."),
    ],
    output: Annotated[
        Path, Option("--output", "-o", callback=refuse_foreign, help="JSON file to write.")
    ],
) -> None:
    """Put the results of bench noc --shard together, as if one machine had measured them all.

    Example: ritm-edge bench merge coco-1.json coco-2.json coco-3.json -o coco.json
    """
    require("pydantic", extra="report")
    from ritm_edge.benchmarks.noc.merge import merge
    from ritm_edge.benchmarks.noc.report import as_text
    from ritm_edge.benchmarks.noc.table import noc_columns, noc_rows
    from ritm_edge.benchmarks.results import NocResults, read_results

    from ...files import write_output

    parts = {}
    for path in shards:
        results = read_results(path)
        if not isinstance(results, NocResults):
            raise InputFileError(f"{path} is not of bench noc: pass what its --shard runs saved.")
        parts[str(path)] = results
    document = merge(parts)
    write_output(output, as_text(document))
    print_table(noc_columns(document["reports"]), noc_rows(document["reports"]))
    print_notice(f"saved {output}")
