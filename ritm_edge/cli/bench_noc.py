"""`ritm-edge bench noc`: how many clicks until the mask is good."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import UNMEASURED, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from ritm_edge.benchmarks.noc import NocReport

IOU_COLUMNS = (1, 3, 5)


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ARTIFACT|CHECKPOINT…",
            help="What to evaluate; default: the embedded weights.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME=DIR", help="Benchmark and its folder; repeatable."),
    ] = None,
    max_clicks: Annotated[int, typer.Option("--max-clicks", min=1, help="Per object.")] = 20,
    min_clicks: Annotated[
        int, typer.Option("--min-clicks", min=1, help="Made even when the target is reached.")
    ] = 5,
    target_iou: Annotated[
        float, typer.Option("--target-iou", min=0.8, help="An object is done at this IoU.")
    ] = 0.90,
    flip: Annotated[bool, typer.Option(help="Average with the mirrored image.")] = True,
    zoom_in: Annotated[bool, typer.Option(help="Crop around the object after click 1.")] = True,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also save the reports as JSON here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
) -> None:
    """Click as the published evaluation does and count the clicks to IoU 0.80, 0.85 and 0.90.

    Example: ritm-edge bench noc --data GrabCut=data/GrabCut model.pth model.onnx
    """
    from ritm_edge.benchmarks.noc import measure

    from ..data import open_benchmark
    from ..evaluation import EvaluationSettings
    from ..files import atomic_output
    from ..runtimes.base import open_runtime
    from ..session import DEFAULT_ZOOM_IN
    from ..weights import embedded_checkpoint

    benchmarks = [open_benchmark(*parse_data(text)) for text in data or []]
    if not benchmarks:
        raise UsageError("no benchmark: pass --data NAME=DIR, for example GrabCut=data/GrabCut.")
    runtimes = [open_runtime(path, threads=threads) for path in files or [embedded_checkpoint()]]
    settings = EvaluationSettings(
        max_clicks=max_clicks,
        min_clicks=min(min_clicks, max_clicks),
        target_iou=target_iou,
        zoom_in=DEFAULT_ZOOM_IN if zoom_in else None,
        flip=flip,
    )
    reports: list[NocReport] = []
    with progress_bar() as progress:
        for benchmark in benchmarks:
            for runtime in runtimes:
                task = progress.add_task(
                    f"{benchmark.name} {runtime.path.name}", total=len(benchmark), status=""
                )
                reports.append(
                    measure(
                        runtime,
                        benchmark,
                        settings,
                        progress=lambda done, result, task=task: progress.update(
                            task, completed=done, status=f"IoU {result.ious[-1]:.3f}"
                        ),
                    )
                )
    values = [report.as_dict() for report in reports]
    if output is not None:
        with atomic_output(output) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n")
    if as_json:
        print_json(values)
        return
    print_table(
        (
            "benchmark",
            "file",
            *(f"NoC{max_clicks}@{round(100 * s.target_iou)}" for s in reports[0].noc),
            f"≥{max_clicks}@90",
            "never@90",
            *(f"IoU@{clicks}" for clicks in IOU_COLUMNS),
            "s/click",
        ),
        [_row(report) for report in reports],
    )


def parse_data(text: str) -> tuple[str, Path]:
    """ "GrabCut=some/folder" → ("GrabCut", Path).

    Raises:
        UsageError: not NAME=DIR.
    """
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise UsageError(f"'{text}' is not NAME=DIR: write for example GrabCut=data/GrabCut.")
    return name, Path(folder)


def _row(report: "NocReport") -> tuple[str, ...]:
    strictest = report.noc[-1]
    means = [report.mean_iou(clicks) for clicks in IOU_COLUMNS]
    return (
        report.benchmark,
        report.path,
        *(f"{summary.mean:.2f}" for summary in report.noc),
        str(strictest.at_limit),
        str(strictest.failed),
        *(UNMEASURED if mean is None else f"{mean:.3f}" for mean in means),
        f"{report.seconds_per_click:.2f}",
    )
