"""`ritm-edge bench sensitivity`: how much each layer loses in 8-bit integers."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from ...io_spec import DEFAULT_MAX_CLICKS, DEFAULT_SIZE, IOSpec
from ..console import counting, print_json, print_notice, print_table
from ..options import AllowChanged, AsJson, Checkpoint, ClickSlots, InputSize, parse_size


def command(
    checkpoint: Checkpoint = None,
    allow_changed: AllowChanged = False,
    size: InputSize = None,
    max_clicks: ClickSlots = DEFAULT_MAX_CLICKS,
    calibration: Annotated[
        Path | None,
        Option(help="Folder with images/ and masks/ (object ids); default: the sample photo."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Quantise one layer of the ONNX graph at a time and list how much the masks change.

    Example: ritm-edge bench sensitivity --checkpoint lite0
    """
    from ritm_edge.export.sensitivity import measure_sensitivity

    from ...runtimes.base import ModelFile
    from ...runtimes.pytorch import open_file
    from ...weights import checkpoint_path

    spec = IOSpec(*(parse_size(size) if size else DEFAULT_SIZE), max_clicks=max_clicks)
    model = open_file(ModelFile(checkpoint_path(checkpoint), allow_changed=allow_changed))
    with counting("sensitivity", "recording clicks") as progress:
        losses = measure_sensitivity(model, spec, calibration, progress=progress)
    if as_json:
        print_json([asdict(loss) for loss in losses])
        return
    print_table(
        ("layer in int8, the rest in float32", "mean error", "mask IoU"),
        [(loss.layer, f"{loss.mean_abs:.1e}", f"{loss.mask_iou:.4f}") for loss in losses],
    )
    print_notice("next: ritm-edge export --precision int8 --keep-float LAYER …")
