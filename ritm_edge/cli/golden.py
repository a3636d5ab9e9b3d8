"""`ritm-edge golden`: sessions written down, to check a port of the session against them."""

from pathlib import Path
from typing import Annotated

import typer

from .console import print_notice
from .options import AllowChanged


def command(
    artifact: Annotated[Path, typer.Argument(help="An artifact of fixed size.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write; it must not exist yet.")
    ],
    allow_changed: AllowChanged = False,
) -> None:
    """Write golden traces: made photos, clicks and edits, and what a session answers to each.

    The format is docs/golden-traces.md.

    Example: ritm-edge golden artifacts/hrnet18s-400x400.tflite -o golden
    """
    from ..errors import OutputFileError
    from ..files import atomic_output
    from ..runtimes.base import open_runtime
    from ..verification.golden import write_traces

    if output.exists():
        raise OutputFileError(f"{output} exists: name a folder that does not exist yet.")
    runtime = open_runtime(artifact, allow_changed=allow_changed)
    with atomic_output(output) as temporary:
        count = write_traces(runtime, temporary)
    print_notice(f"saved {count} traces in {output}; docs/golden-traces.md describes them")
