"""`ritm-edge verify`: does this file compute the same as that checkpoint?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Context, Option

from ..tables import UNMEASURED
from ..verification.accelerators import half_verdict
from .console import print_json, print_notice, print_table, progress_bar
from .devices import Listen, On, opened_runtimes
from .options import AllowChanged, AsJson, Threads, open_data, refuse_idle
from .task_table import print_task_report
from .verify_devices import verify_delegates, verify_half_precision

if TYPE_CHECKING:
    from ..verification.acceptance import TaskReport
    from ..verification.parity import CaseResult, ParityReport

OBJECTS = 20  # of --objects
SESSION_CLICKS = 100


def command(
    context: Context,
    artifact: Annotated[
        Path, Argument(help=".onnx, .tflite, .mlpackage, .openvino, .ncnn or .pte")
    ],
    checkpoint: Annotated[
        Path | None,
        Option(help="Weights to compare with; default: the embedded ones of its model."),
    ] = None,
    photo: Annotated[
        list[Path] | None, Option(help="Also compare on this photo; repeat for several.")
    ] = None,
    data: Annotated[
        str | None,
        Option(
            metavar="NAME=DIR",
            help="Below fp32: judge the file by its clicks on this benchmark.",
        ),
    ] = None,
    objects: Annotated[
        Path | None,
        Option(
            help="Below fp32: compare masks on photos of this folder (images/, masks/) instead of "
            "the sample photo."
        ),
    ] = None,
    emulate: Annotated[
        str | None,
        Option(
            "--emulate",
            metavar="fp16",
            help="Instead: emulate devices that compute in half precision, in three modes.",
            show_default=False,
        ),
    ] = None,
    max_loss: Annotated[
        float,
        Option(
            "--max-loss",
            min=0.0,
            help="With --emulate: name the first tensor that loses a larger share of its root mean "
            "square.",
        ),
    ] = 0.25,
    delegates: Annotated[
        bool,
        Option("--delegates", help="Instead: which accelerators take which operations."),
    ] = False,
    seed: Annotated[int, Option(help="Seed of the random inputs.")] = 1,
    on: On = None,
    listen: Listen = None,
    threads: Threads = None,
    allow_changed: AllowChanged = False,
    as_json: AsJson = False,
) -> None:
    """Compare an exported file with PyTorch, case by case.

    The exit code is 3 if the tolerance of the file's target is exceeded. A file of lower precision
    is judged by its masks after 1, 3 and 5 clicks, or by its clicks on --data.

    Example: ritm-edge verify artifacts/hrnet18s-400x400.tflite --checkpoint model.pth
    """
    from ..devices.remote import device_figures
    from ..errors import ArtifactError, UsageError
    from ..evaluation.labelled_photos import folder_objects, sample_objects
    from ..imaging.images import read_photo
    from ..runtimes.base import ModelFile
    from ..runtimes.pytorch import open_file
    from ..samples import sample_photo
    from ..verification.acceptance import accept
    from ..verification.parity import compare, parity_cases
    from ..verification.session_check import check_session
    from ..weights import checkpoint_path

    if emulate is None:
        refuse_idle(context, "without --emulate", "max_loss")
    else:
        refuse_idle(context, "with --emulate", "photo", "data", "seed", "delegates", "on", "listen")
    if delegates:
        others = ("checkpoint", "photo", "data", "objects", "seed", "threads", "on", "listen")
        refuse_idle(context, "with --delegates", *others)
    (runtime,) = context.with_resource(
        opened_runtimes(
            context, [artifact], on, listen, threads=threads, allow_changed=allow_changed
        )
    )
    if runtime.info is None:
        raise ArtifactError(f"{artifact} is a checkpoint: export it, and verify the exported file.")
    if delegates:
        verify_delegates(artifact, allow_changed=allow_changed, as_json=as_json)
        return
    checkpoint = checkpoint_path(checkpoint, model=str(runtime.info.model["name"]))
    reference = open_file(ModelFile(checkpoint, threads, allow_changed))
    if emulate is not None:
        verify_half_precision(
            artifact,
            runtime,
            reference,
            kind=emulate,
            max_loss=max_loss,
            objects=objects,
            as_json=as_json,
        )
        return

    from ritm_edge.export.registry import find_precision, find_target

    target = find_target(runtime.info.target)
    reduced = find_precision(target, runtime.info.precision)
    if reduced is None and (data or objects):
        raise UsageError(f"--data and --objects do nothing for fp32 ({artifact}): leave them out.")
    photos = [read_photo(path) for path in (photo or [sample_photo()])]
    cases = parity_cases(runtime.spec, photos=photos, seed=seed)
    report = compare(runtime, reference, cases, target.tolerance)
    task = None
    if reduced is not None:
        with progress_bar() as progress:
            bar = progress.add_task("task", total=None, status="")
            task = accept(
                runtime,
                reference,
                folder_objects(objects, count=OBJECTS) if objects else sample_objects(),
                reduced.tolerance,
                benchmark=open_data(data) if data else None,
                progress=lambda text: progress.update(bar, status=text),
            )
    session = None
    device = device_figures(runtime)
    if runtime.info.session is not None and device is None:
        session = check_session(runtime, clicks=SESSION_CLICKS, seed=seed)
    if as_json:
        extra = {k: v.as_dict() for k, v in (("task", task), ("session", session)) if v is not None}
        where = {} if device is None else {"device": device}
        print_json({**report.as_dict(), **extra, **where})
    else:
        _print(report, judged=task is None)
        if task is not None:
            print_task_report(task)
    if reference.sha256 != runtime.info.checkpoint_sha256:
        print_notice(f"{artifact} was exported from a different checkpoint than {checkpoint}.")
    half = runtime.info.half_precision
    if half is not None and not as_json:
        print_notice(f"half precision, as exported: {half_verdict(half)}.")
    (report if task is None else task).require_passed()
    if session is not None:
        session.require_passed(str(artifact))
        if not as_json:
            print_notice(f"its session graphs gave the Python session's {session.clicks} clicks.")
    if device is not None and not as_json:
        print_notice(
            "{place}, {engine}, {threads} threads: {inference_ms:.0f} ms a run by its own clock, "
            "and {wire_ms:.1f} ms for the way there and back".format(**device)
        )
        if runtime.info.session is not None:
            print_notice("its session graphs were not run there; see the self-check in docs/web.md")
    if not as_json:
        print_notice(_verdict(artifact, checkpoint, report, task))


def _print(report: "ParityReport", *, judged: bool) -> None:
    def result(case: "CaseResult") -> str:
        if not judged:
            return UNMEASURED
        return "ok" if case.within(report.tolerance) else "FAILED"

    print_table(
        ("case", "max error", "mean error", "mask IoU", "result"),
        [
            (
                case.name,
                f"{case.max_abs:.1e}",
                f"{case.mean_abs:.1e}",
                f"{case.mask_iou:.4f}",
                result(case),
            )
            for case in report.cases
        ],
    )


def _verdict(
    artifact: Path, checkpoint: Path, report: "ParityReport", task: "TaskReport | None"
) -> str:
    if task is None:
        limits = report.tolerance
        return f"{artifact} agrees with {checkpoint.name} to {limits.atol:.0e} ({limits.reason})."
    return f"{artifact} is close enough to {checkpoint.name} ({task.tolerance.reason})."
