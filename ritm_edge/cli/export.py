"""`ritm-edge export`: a checkpoint becomes verified artifacts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..artifacts.info import Precision
from ..errors import UsageError
from ..io_spec import DEFAULT_MAX_CLICKS, DEFAULT_SIZE, IOSpec
from .console import print_json, print_notice, print_table, progress_bar
from .options import AllowChanged, AsJson, Checkpoint, ClickSlots, InputSize, parse_data, parse_size
from .task_table import print_task_report

if TYPE_CHECKING:
    from ritm_edge.export.pipeline import Exported


def _renamed(wanted: bool) -> None:
    if wanted:
        raise UsageError("export --sensitivity has become ritm-edge bench sensitivity: use that.")


def command(
    target: Annotated[
        list[str],
        typer.Option(
            "--target", "-t", help="onnx, tflite, coreml, openvino or ncnn; repeat for several."
        ),
    ],
    checkpoint: Checkpoint = None,
    allow_changed: AllowChanged = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Refuse a checkpoint of any other model.")
    ] = None,
    size: InputSize = None,
    max_clicks: ClickSlots = DEFAULT_MAX_CLICKS,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Any height and width (ONNX only).")
    ] = False,
    precision: Annotated[
        str,
        typer.Option("--precision", "-p", help="fp32, fp16, int8 or int8-dynamic."),
    ] = Precision.FP32,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="For int8: folder with images/ and masks/ (object ids); default: the sample "
            "photo, augmented. A simulated user clicks on its objects.",
            show_default=False,
        ),
    ] = None,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-float",
            metavar="LAYER",
            help="For int8: beginning of a layer's name to keep out of it, instead of the "
            "target's own list; repeat for several.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME=DIR",
            help="Judge a reduced precision by its clicks on this benchmark, not by masks of the "
            "sample photo.",
            show_default=False,
        ),
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Keep an artifact that loses too much.")
    ] = False,
    _sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", hidden=True, is_eager=True, callback=_renamed),
    ] = False,
    rewrites: Annotated[
        bool,
        typer.Option(
            "--rewrites/--no-rewrites",
            help="Exact rewrites that make the graph faster; without them the baseline graph, as "
            "NAME-baseline.SUFFIX.",
        ),
    ] = True,
    session: Annotated[
        bool,
        typer.Option(
            "--session",
            help="Add the graphs of a whole session (zoom, crop, mask for the screen), for apps in "
            "any language: into a .tflite, in a folder beside an .onnx. See docs/session.md.",
        ),
    ] = False,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            help="With --session: how crops are shown to the network: context (default), "
            "letterbox or stretch.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the artifacts.")
    ] = Path("artifacts"),
    as_json: AsJson = False,
) -> None:
    """Export weights to artifacts and prove each one equal to PyTorch.

    An artifact that disagrees with PyTorch is not kept, and the exit code is 3. One of a lower
    precision is kept when its masks, or its clicks on --data, stay close to those of float32.

    Example: ritm-edge export --target onnx --target tflite --target coreml --output artifacts
    """
    if dynamic and size is not None:
        raise UsageError("--dynamic and --size exclude each other: pass one of them.")

    from ritm_edge.export.pipeline import export_checkpoint
    from ritm_edge.export.precision import PrecisionOptions
    from ritm_edge.export.registry import find_precision, find_target

    from ..data import open_benchmark
    from ..imaging.images import read_photo
    from ..samples import sample_photo
    from ..session.fit import DEFAULT_FIT, check_fit
    from ..weights import checkpoint_path

    if fit is not None and not session:
        raise UsageError("--fit is that of the session graphs: pass --session too.")
    targets = [find_target(name) for name in dict.fromkeys(target)]
    checkpoint = checkpoint_path(checkpoint, model=model)
    height, width = (None, None) if dynamic else parse_size(size) if size else DEFAULT_SIZE
    spec = IOSpec(height, width, max_clicks=max_clicks)
    if dynamic and any(not t.any_size for t in targets):
        names = ", ".join(t.name for t in targets if not t.any_size)
        raise UsageError(f"--dynamic is not available for {names}: leave it out for that target.")
    reduced = [find_precision(each, precision) for each in targets]
    if calibration is not None and not any(each and each.calibrated for each in reduced):
        names = ", ".join(each.name for each in targets)
        raise UsageError(f"{precision} of {names} is not calibrated: leave out --calibration.")
    options = PrecisionOptions(
        calibration=calibration,
        keep_float=None if keep_float is None else tuple(keep_float),
        benchmark=None if data is None else open_benchmark(*parse_data(data)),
        accept_loss=accept_loss,
    )
    photos = [read_photo(sample_photo())]
    done: list[Exported] = []
    with progress_bar() as progress:
        task = progress.add_task("export", total=len(targets), status="")
        for each in targets:

            def show(text: str, name: str = each.name) -> None:
                progress.update(task, status=f"{text} {name}")

            done.append(
                export_checkpoint(
                    checkpoint,
                    each,
                    spec=spec,
                    output=output,
                    model=model,
                    allow_changed=allow_changed,
                    rewrites=None if rewrites else (),
                    precision=precision,
                    options=options,
                    photos=photos,
                    session=check_fit(fit or DEFAULT_FIT) if session else None,
                    stage=show,
                )
            )
            progress.update(task, advance=1, status="")
    if as_json:
        print_json([_as_dict(item) for item in done])
        return
    print_table(
        ("artifact", "MB", "convert s", "max error", "mean error", "mask IoU", "parity"),
        [_row(item) for item in done],
    )
    for item in done:
        if item.task is not None:
            print_task_report(item.task)
    print_notice(f"next: ritm-edge bench latency {' '.join(str(item.path) for item in done)}")


def _row(item: "Exported") -> tuple[str, ...]:
    return (
        str(item.path),
        f"{item.megabytes:.1f}",
        f"{item.seconds:.1f}",
        f"{item.parity.max_abs:.1e}",
        f"{item.parity.mean_abs:.1e}",
        f"{item.parity.min_mask_iou:.4f}",
        _verdict(item),
    )


def _verdict(item: "Exported") -> str:
    if item.task is None:
        return "passed"
    return "task passed" if item.task.passed else "LOSS ACCEPTED"


def _as_dict(item: "Exported") -> dict[str, object]:
    return {
        "target": item.target,
        "path": str(item.path),
        "megabytes": item.megabytes,
        "convert_seconds": item.seconds,
        "rewrites": list(item.rewrites),
        "parity": item.parity.as_dict(),
        "task": None if item.task is None else item.task.as_dict(),
    }
