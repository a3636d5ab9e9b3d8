"""`ritm-edge verify`: is this artifact the same function as that checkpoint?"""

from pathlib import Path
from typing import Annotated

import typer

from .console import print_json, print_notice, print_table


def command(
    artifact: Annotated[Path, typer.Argument(help=".onnx, .tflite or .mlpackage")],
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="What it should equal; default: the embedded weights."),
    ] = None,
    photo: Annotated[
        list[Path] | None,
        typer.Option("--photo", help="Also compare on this photo; repeat for several."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random inputs.")] = 1,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare an artifact with PyTorch over fresh inputs, case by case.

    The tolerance belongs to the artifact's target. The exit code is 3 where it is exceeded.

    Example: ritm-edge verify artifacts/hrnet18s-400x400.tflite --checkpoint model.pth
    """
    from ..errors import ArtifactError
    from ..images import read_photo
    from ..model.checkpoint import checkpoint_hash
    from ..parity import compare, parity_cases
    from ..runtimes.base import open_runtime
    from ..runtimes.pytorch import open_file
    from ..samples import sample_photo
    from ..weights import embedded_checkpoint

    runtime = open_runtime(artifact, threads=threads)
    if runtime.info is None:
        raise ArtifactError(f"{artifact} is a checkpoint, not an artifact: verify an export of it.")
    checkpoint = checkpoint or embedded_checkpoint()
    reference = open_file(checkpoint, threads=threads)

    from ritm_edge.export.registry import target_of

    tolerance = target_of(runtime.info).tolerance
    photos = [read_photo(path) for path in (photo or [sample_photo()])]
    cases = parity_cases(runtime.spec, photos=photos, seed=seed)
    report = compare(runtime, reference, cases, tolerance)
    if as_json:
        print_json(report.as_dict())
    else:
        print_table(
            ("case", "max error", "mean error", "mask IoU", "result"),
            [
                (
                    case.name,
                    f"{case.max_abs:.1e}",
                    f"{case.mean_abs:.1e}",
                    f"{case.mask_iou:.4f}",
                    "ok" if case.within(tolerance) else "FAILED",
                )
                for case in report.cases
            ],
        )
    if checkpoint_hash(checkpoint) != runtime.info.checkpoint_sha256:
        print_notice(f"{artifact} was made from another file than {checkpoint}.")
    report.require_passed()
    if not as_json:
        print_notice(
            f"{artifact} equals {checkpoint} within {tolerance.atol:.0e} ({tolerance.reason})."
        )
