"""`ritm-edge export --sensitivity`: which layers 8-bit integers hurt."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .console import print_json, print_notice, print_table, progress_bar

if TYPE_CHECKING:
    from ..io_spec import IOSpec


def list_sensitivity(
    checkpoint: Path,
    spec: "IOSpec",
    calibration: Path | None,
    *,
    as_json: bool,
    allow_changed: bool = False,
) -> None:
    """Quantise each layer alone and show what it does to probabilities and masks."""
    from ritm_edge.export.sensitivity import measure_sensitivity

    from ..runtimes.pytorch import open_file

    with progress_bar() as progress:
        task = progress.add_task("sensitivity", total=None, status="recording clicks")
        losses = measure_sensitivity(
            open_file(checkpoint, allow_changed=allow_changed),
            spec,
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
