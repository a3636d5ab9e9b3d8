"""`ritm-edge bench flops`: the arithmetic of networks and exported graphs."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..console import print_table, progress_bar
from ..options import AllowChanged, AsJson, ReportFile, deliver, parse_size, without_session_folders


def command(
    files: Annotated[
        list[Path] | None,
        Argument(
            metavar="ARTIFACT|CHECKPOINT…",
            help="Also count what these files execute.",
            callback=without_session_folders,
        ),
    ] = None,
    size: Annotated[
        str, Option(help="HEIGHTxWIDTH in pixels, if the file does not fix it.")
    ] = "400x400",
    kinds: Annotated[
        bool, Option("--kinds", help="Also show each kind of layer, in millions.")
    ] = False,
    allow_changed: AllowChanged = False,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Count the parameters and FLOPs of the paper's networks (Table 4) and of exported files.

    Networks are counted in two ways: as the paper does, for comparison with its figures, and
    everything that is executed. Exported files are counted operation by operation.

    Example: ritm-edge bench flops hrnet18s.onnx hrnet18s.tflite --kinds
    """
    height_width = parse_size(size)

    from ritm_edge.benchmarks.flops import table
    from ritm_edge.benchmarks.flops.report import as_document, measure_artifact, measure_models

    from ...weights import checkpoint_path

    artifacts = []
    with progress_bar() as progress:
        task = progress.add_task("flops", total=1 + len(files or []), status="")
        for path in map(checkpoint_path, files or []):  # first, since a file may be refused
            progress.update(task, status=path.name)
            artifacts += measure_artifact(path, height_width, allow_changed=allow_changed)
            progress.advance(task)
        progress.update(task, status="networks")
        models = measure_models(height_width)
        progress.advance(task)
    document = as_document(models, artifacts, height_width)
    if deliver(document, output, as_json):
        return
    print_table([*table.MODELS], table.cells(table.MODELS, models), title=f"at {size}")
    if artifacts:
        print_table([*table.ARTIFACTS], table.cells(table.ARTIFACTS, artifacts))
    if kinds:
        rows = table.by_kind([*models, *artifacts])
        print_table([*table.KINDS], table.cells(table.KINDS, rows))
