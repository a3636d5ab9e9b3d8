"""`ritm-edge export`: a checkpoint becomes verified artifacts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from ..artifacts.info import Precision
from ..errors import UsageError
from ..io_spec import DEFAULT_MAX_CLICKS, DEFAULT_SIZE, IOSpec
from ..verification.accelerators import half_verdict
from .console import print_json, print_notice, print_table, progress_bar
from .options import AllowChanged, AsJson, Checkpoint, ClickSlots, InputSize, open_data, parse_size
from .task_table import print_task_report

if TYPE_CHECKING:
    from ritm_edge.export.pipeline import Exported

CHECKS = "max error", "mean error", "mask IoU", "parity", "half precision"


def _renamed(wanted: bool) -> None:
    if wanted:
        raise UsageError("export --sensitivity has become ritm-edge bench sensitivity: use that.")


def command(
    target: Annotated[
        list[str],
        Option(
            "--target",
            "-t",
            help="onnx, tflite, coreml, openvino, ncnn or executorch; repeat for several.",
        ),
    ],
    checkpoint: Checkpoint = None,
    allow_changed: AllowChanged = False,
    model: Annotated[str | None, Option(help="Refuse a checkpoint of any other model.")] = None,
    size: InputSize = None,
    max_clicks: ClickSlots = DEFAULT_MAX_CLICKS,
    dynamic: Annotated[
        bool, Option("--dynamic", help="Accept any height and width (ONNX only).")
    ] = False,
    precision: Annotated[
        str, Option("--precision", "-p", help="fp32, fp16, int8 or int8-dynamic.")
    ] = Precision.FP32,
    calibration: Annotated[
        Path | None,
        Option(
            help="For int8: folder with images/ and masks/ (object ids), on whose objects a "
            "simulated user clicks; default: the sample photo, augmented."
        ),
    ] = None,
    keep_float: Annotated[
        list[str] | None,
        Option(
            metavar="LAYER",
            help="For int8: keep the layers whose names start with this in float32, instead of the "
            "target's own list; repeat for several.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        Option(
            metavar="NAME=DIR",
            help="Below fp32: judge the file by its clicks on this benchmark, not by masks of the "
            "sample photo.",
        ),
    ] = None,
    accept_loss: Annotated[
        bool, Option("--accept-loss", help="Below fp32: keep a file that loses too much.")
    ] = False,
    _sensitivity: Annotated[
        bool, Option("--sensitivity", hidden=True, is_eager=True, callback=_renamed)
    ] = False,
    rewrites: Annotated[
        bool,
        Option(
            "--rewrites/--no-rewrites",
            help="Rewrite the graph to a faster one with the same results. Without rewrites, the "
            "file is named NAME-baseline.SUFFIX.",
        ),
    ] = True,
    session: Annotated[
        bool | None,
        Option(
            "--session/--no-session",
            help="Add the graphs of a whole session (zoom, crop, mask for the screen), for apps in "
            "any language: into a .tflite, in a folder beside an .onnx; the default for both at a "
            "fixed size. See docs/session.md.",
            show_default=False,
        ),
    ] = None,
    fit: Annotated[
        str | None,
        Option(
            "--fit",
            help="How the session graphs show crops to the network: context (default), letterbox "
            "or stretch.",
            show_default=False,
        ),
    ] = None,
    android: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Add --session, and put the .tflite and its golden traces in this folder too, for "
            "the app in android_demo/: android_demo/app/src/main/assets.",
        ),
    ] = None,
    output: Annotated[Path, Option("--output", "-o", help="Folder for the exported files.")] = Path(
        "artifacts"
    ),
    as_json: AsJson = False,
) -> None:
    """Export weights to files for apps and compare each file with PyTorch.

    A float32 file is kept only if every probability is within 1e-4 of PyTorch's, one of lower
    precision if its masks, or clicks on --data, are close to float32's; else the exit code is 3.

    Example: ritm-edge export --target onnx --target tflite --target coreml --output artifacts
    """
    if dynamic and size is not None:
        raise UsageError("--dynamic and --size exclude each other: pass one of them.")

    from ritm_edge.export.pipeline import export_checkpoint
    from ritm_edge.export.precision import PrecisionOptions
    from ritm_edge.export.registry import find_precision, find_target

    from ..imaging.images import read_photo
    from ..samples import sample_photo
    from ..session.fit import DEFAULT_FIT, check_fit
    from ..weights import checkpoint_path

    if android is not None and ("tflite" not in target or session is False or dynamic):
        raise UsageError(
            "--android takes a .tflite with a session: pass --target tflite too, and leave "
            "--no-session and --dynamic out."
        )
    targets = [find_target(name) for name in dict.fromkeys(target)]
    can_hold = [] if dynamic else [each.name for each in targets if each.add_session]
    if fit is not None and (session is False or not can_hold):
        raise UsageError(
            "--fit is that of session graphs, which this export has not: leave it out, or export "
            "to onnx or tflite with a fixed size and without --no-session."
        )
    shown = check_fit(fit or DEFAULT_FIT)
    checkpoint = checkpoint_path(checkpoint, model=model)
    height, width = (None, None) if dynamic else parse_size(size) if size else DEFAULT_SIZE
    spec = IOSpec(height, width, max_clicks=max_clicks)
    if dynamic and any(not t.any_size for t in targets):
        names = ", ".join(t.name for t in targets if not t.any_size)
        raise UsageError(f"--dynamic is not available for {names}: leave it out for that target.")
    reduced = [find_precision(each, precision) for each in targets]
    if calibration is not None and not any(each and each.calibrated for each in reduced):
        names = ", ".join(each.name for each in targets)
        raise UsageError(f"{precision} for {names} needs no calibration: leave out --calibration.")
    options = PrecisionOptions(
        calibration=calibration,
        keep_float=None if keep_float is None else tuple(keep_float),
        benchmark=None if data is None else open_data(data),
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
                    session=shown
                    if session or (session is None and each.name in can_hold)
                    else None,
                    stage=show,
                )
            )
            progress.update(task, advance=1, status="")
        if android is not None:
            from ..verification.android_assets import write_assets

            progress.update(task, status="traces for the app")
            write_assets(next(each.path for each in done if each.target == "tflite"), android)
    if as_json:
        print_json([_as_dict(item) for item in done])
        return
    print_table(
        ("artifact", "MB", "convert s", *CHECKS),
        [_row(item) for item in done],
    )
    for item in done:
        if item.task is not None:
            print_task_report(item.task)
    print_notice(f"next: ritm-edge bench latency {' '.join(str(item.path) for item in done)}")


def _row(item: "Exported") -> tuple[str, ...]:
    verdict = "passed"
    if item.task is not None:
        verdict = "task passed" if item.task.passed else "LOSS ACCEPTED"
    return (
        str(item.path),
        f"{item.megabytes:.1f}",
        f"{item.seconds:.1f}",
        f"{item.parity.max_abs:.1e}",
        f"{item.parity.mean_abs:.1e}",
        f"{item.parity.min_mask_iou:.4f}",
        verdict,
        half_verdict(None if item.half is None else item.half.summary()),
    )


def _as_dict(item: "Exported") -> dict[str, object]:
    return {
        "target": item.target,
        "path": str(item.path),
        "megabytes": item.megabytes,
        "convert_seconds": item.seconds,
        "rewrites": list(item.rewrites),
        "parity": item.parity.as_dict(),
        "task": None if item.task is None else item.task.as_dict(),
        "half_precision": None if item.half is None else item.half.as_dict(),
    }
