"""`ritm-edge bench compare`: two results files, and whether the newer one is worse."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ...errors import RitmEdgeError
from ...optional import require
from ..console import print_notice, print_table
from ..options import AsJson, ReportFile, deliver


def command(
    old: Annotated[Path, Argument(help="Results measured before.")],
    new: Annotated[Path, Argument(help="Results of the same kind measured after.")],
    tolerance: Annotated[
        float,
        Option(min=0, help="Share by which a figure may get worse, 0.02 for 2 %."),
    ] = 0.0,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare two results files of bench noc, latency or flops, or of verify --json.

    Clicks are compared object by object and times by their samples; what the 95 % interval
    explains is noise. The command ends with exit code 1 if a figure is worse beyond the noise and
    the tolerance.

    Example: ritm-edge bench compare docs/results/flops.json flops.json --tolerance 0.01
    """
    require("pydantic", extra="report")
    from ritm_edge.benchmarks.compare import COLUMNS, compare
    from ritm_edge.benchmarks.results import read_results

    result = compare(read_results(old), read_results(new))
    worse = result.worse(tolerance)
    document = {
        "kind": "ritm-edge comparison",
        "old": str(old),
        "new": str(new),
        "tolerance": tolerance,
        "passed": not worse,
        "changes": [each.as_dict() for each in result.changes],
        "differences": result.differences,
    }
    if not deliver(document, output, as_json):
        print_table(COLUMNS, [each.cells() for each in result.changes])
    for note in result.differences:
        print_notice(note)
    if worse:
        first = worse[0]
        others = f", and so are {len(worse) - 1} more figures" if len(worse) > 1 else ""
        raise RitmEdgeError(
            f"{first.figure} of {first.what} went from {first.old:.6g} to {first.new:.6g}, worse "
            f"by more than {100 * tolerance:g} %{others}: find out why, or allow it with "
            "--tolerance."
        )
