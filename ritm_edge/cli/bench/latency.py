"""`ritm-edge bench latency`: one forward pass of several files, timed in turns."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ..console import print_notice, print_table, progress_bar
from ..options import AllowChanged, AsJson, ReportFile, deliver, parse_size

if TYPE_CHECKING:
    from ritm_edge.benchmarks.latency.timing import LatencyReport

BUSY = 0.5  # runnable processes per core before a measurement above which a warning is given


def command(
    artifacts: Annotated[
        list[Path] | None,
        typer.Argument(metavar="ARTIFACT...", help="Files to time.", show_default=False),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint", help="Weights that PyTorch runs for comparison; default: embedded ones."
        ),
    ] = None,
    no_pytorch: Annotated[
        bool, typer.Option("--no-pytorch", help="Do not time PyTorch for comparison.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="CPU threads; default: the runtime's.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Timed rounds.")] = 20,
    warmup: Annotated[int, typer.Option("--warmup", min=0, help="Untimed rounds before them.")] = 3,
    cold_starts: Annotated[
        int, typer.Option("--cold-starts", min=1, help="New processes whose first result is timed.")
    ] = 3,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            help="HEIGHTxWIDTH in pixels, if the files do not fix it; default 400x400.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the inputs.")] = 0,
    roofline: Annotated[
        bool,
        typer.Option("--roofline", help="Also measure the machine's peak and each file's share."),
    ] = False,
    allow_changed: AllowChanged = False,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Time one forward pass of several files and of PyTorch, in alternating rounds.

    Each runs in its own process, on the same inputs. Ratios are taken within each round; a ratio
    below 1 is faster than PyTorch. The cold start is the time from importing the library and
    opening the file to the first result. Peak memory is that of the whole process.

    Example: ritm-edge bench latency hrnet18s.onnx hrnet18s.tflite --threads 2
    """
    if no_pytorch and checkpoint is not None:
        raise UsageError("--checkpoint and --no-pytorch exclude each other: pass one of them.")

    from ritm_edge.benchmarks.latency.timing import LatencySettings, measure, step_count

    from ...weights import checkpoint_path

    artifacts = [checkpoint_path(path) for path in artifacts or []]

    settings = LatencySettings(
        runs=runs,
        warmup=warmup,
        cold_starts=cold_starts,
        threads=threads,
        size=None if size is None else parse_size(size),
        seed=seed,
        allow_changed=allow_changed,
    )
    baseline = None
    if not no_pytorch:
        model = None if checkpoint is not None else _model_of(artifacts, allow_changed)
        baseline = checkpoint_path(checkpoint, model=model)
    candidates = len(artifacts) + (baseline is not None)
    with progress_bar() as progress:
        task = progress.add_task("latency", total=step_count(candidates, settings), status="")
        started = False

        def report(text: str) -> None:
            nonlocal started
            progress.update(task, advance=int(started), status=text)
            started = True

        result = measure(
            artifacts,
            baseline=baseline,
            settings=settings,
            roofline=roofline,
            report=report,
        )
        progress.update(task, advance=1, status="")
    if not deliver(result.as_dict(), output, as_json):
        _print(result)
    _print_notices(result)


def _model_of(artifacts: list[Path] | None, allow_changed: bool) -> str | None:
    """The model of the first file that says so; None where none does."""
    from ...runtimes.base import open_runtime

    infos = (open_runtime(p, allow_changed=allow_changed).info for p in artifacts or [])
    return next((str(info.model["name"]) for info in infos if info is not None), None)


def _print(result: "LatencyReport") -> None:
    from ritm_edge.benchmarks.latency.table import COLUMNS, latency_rows

    machine, settings = result.machine, result.settings
    print_table(
        COLUMNS,
        latency_rows([row.as_dict() for row in result.rows]),
        title=(
            f"{result.size[0]}x{result.size[1]}, {settings.runs} runs, "
            f"{settings.threads or 'default'} threads, "
            f"{machine['cpu'] or 'unknown CPU'} ({machine['usable_cores']} cores)"
        ),
    )


def _print_notices(result: "LatencyReport") -> None:
    for row in result.rows:
        if not row.is_device_time:
            print_notice(
                f"{row.path} ran in the {row.engine}, a tool for checking results: its time says "
                "nothing about a device."
            )
    load, cores = result.machine["load_average_1min"], result.machine["usable_cores"]
    if load is not None and load > BUSY * cores:
        print_notice(
            f"the machine was busy before the measurement (load {load} on {cores} cores): the "
            "times are longer than on an idle one; compare the ratios."
        )
