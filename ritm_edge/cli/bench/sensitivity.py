"""`ritm-edge bench sensitivity`: which layers 8-bit integers hurt."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..console import print_json, print_notice, print_table, progress_bar
from ..options import AllowChanged, AsJson, parse_size


def command(
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Weights (.pth, .safetensors); default: the embedded."),
    ] = None,
    allow_changed: AllowChanged = False,
    size: Annotated[str, typer.Option("--size", help="Input HEIGHTxWIDTH in pixels.")] = "400x400",
    max_clicks: Annotated[
        int, typer.Option("--max-clicks", help="Click slots for each sign.")
    ] = 24,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Folder with images/ and masks/ (object ids); default: the sample photo.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Quantise each layer of the ONNX graph alone and list what that does to the masks.

    Example: ritm-edge bench sensitivity --checkpoint lite0
    """
    from ritm_edge.export.sensitivity import measure_sensitivity

    from ...io_spec import IOSpec
    from ...runtimes.pytorch import open_file
    from ...weights import checkpoint_path

    height, width = parse_size(size)
    model = open_file(checkpoint_path(checkpoint), allow_changed=allow_changed)
    with progress_bar() as progress:
        task = progress.add_task("sensitivity", total=None, status="recording clicks")
        losses = measure_sensitivity(
            model,
            IOSpec(height, width, max_clicks=max_clicks),
            calibration,
            progress=lambda done, total: progress.update(
                task, completed=done, total=total, status=""
            ),
        )
    if as_json:
        print_json([asdict(loss) for loss in losses])
        return
    print_table(
        ("layer in int8, the rest in float32", "mean error", "mask IoU"),
        [(loss.layer, f"{loss.mean_abs:.1e}", f"{loss.mask_iou:.4f}") for loss in losses],
    )
    print_notice("next: ritm-edge export --precision int8 --keep-float LAYER …")
