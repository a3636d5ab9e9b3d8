"""`ritm-edge bench latency`: one forward pass of several files, timed in turns."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from ...devices import HERE
from ...errors import UsageError
from ...optional import require
from ..console import print_notice, print_table, progress_bar
from ..devices import Listen, OnSeveral, opened_devices
from ..options import AllowChanged, AsJson, ReportFile, deliver, parse_size, without_session_folders

if TYPE_CHECKING:
    from ritm_edge.benchmarks.latency.timing import LatencyReport

BUSY = 0.5  # runnable processes per core before a measurement above which a warning is given


def command(
    context: typer.Context,
    artifacts: Annotated[
        list[Path] | None,
        Argument(metavar="ARTIFACT...", help="Files to time.", callback=without_session_folders),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        Option(help="Weights that PyTorch runs for comparison; default: embedded ones."),
    ] = None,
    no_pytorch: Annotated[
        bool, Option("--no-pytorch", help="Do not time PyTorch for comparison.")
    ] = False,
    threads: Annotated[
        int | None, Option(min=1, help="CPU threads; default: the runtime's.")
    ] = None,
    runs: Annotated[int, Option(min=1, help="Timed rounds.")] = 20,
    warmup: Annotated[int, Option(min=0, help="Untimed rounds before them.")] = 3,
    cold_starts: Annotated[
        int, Option(min=1, help="New processes whose first result is timed.")
    ] = 3,
    size: Annotated[
        str | None,
        Option(help="HEIGHTxWIDTH in pixels, if the files do not fix it; default 400x400."),
    ] = None,
    seed: Annotated[int, Option(min=0, help="Seed of the inputs.")] = 0,
    roofline: Annotated[
        bool, Option("--roofline", help="Also measure the machine's peak and each file's share.")
    ] = False,
    on: OnSeveral = None,
    listen: Listen = None,
    allow_changed: AllowChanged = False,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Time one forward pass of several files and of PyTorch, in alternating rounds.

    Each runs in its own process, on the same inputs. Ratios are taken within each round; a ratio
    below 1 is faster than PyTorch. The cold start is the time from importing the library and
    opening the file to the first result. Peak memory is that of the whole process. With --on, each
    file is timed at each place, by the clock there; the way there and back is a column of its own.

    Example: ritm-edge bench latency hrnet18s.onnx hrnet18s.tflite --threads 2
    """
    if no_pytorch and checkpoint is not None:
        raise UsageError("--checkpoint and --no-pytorch exclude each other: pass one of them.")
    if not no_pytorch:
        require("torch", extra="torch")

    from ritm_edge.benchmarks.latency.timing import LatencySettings, measure, step_count

    from ...weights import checkpoint_path

    files = [checkpoint_path(path) for path in artifacts or []]
    settings = LatencySettings(
        runs=runs,
        warmup=warmup,
        cold_starts=cold_starts,
        threads=threads,
        size=None if size is None else parse_size(size),
        seed=seed,
        allow_changed=allow_changed,
    )
    places = list(dict.fromkeys(on or [HERE]))
    steps = step_count(len(files) * len(places) + (not no_pytorch), settings)
    with opened_devices(context, places, listen) as devices, progress_bar() as progress:
        task = progress.add_task("latency", total=steps, status="")
        started = False

        def report(text: str) -> None:
            nonlocal started
            progress.update(task, advance=int(started), status=text)
            started = True

        result = measure(
            files,
            settings=settings,
            devices=devices,
            pytorch=not no_pytorch,
            baseline=checkpoint,
            roofline=roofline,
            report=report,
        )
        progress.update(task, advance=1, status="")
    if not deliver(result.as_dict(), output, as_json):
        _print(result)
    _print_notices(result)


def _print(result: "LatencyReport") -> None:
    from ritm_edge.benchmarks.latency.table import terminal_table

    machine, settings = result.machine, result.settings
    columns, *rows = terminal_table([row.as_dict() for row in result.rows])
    print_table(
        columns,
        rows,
        title=(
            f"{result.size[0]}x{result.size[1]}, {settings.runs} runs, "
            f"{settings.threads or 'default'} threads, "
            f"{machine['cpu'] or 'unknown CPU'} ({machine['usable_cores']} cores)"
        ),
    )


def _print_notices(result: "LatencyReport") -> None:
    for row in result.rows:
        if row.fallback is not None:
            print_notice(f"{row.path} ran slowly on {row.place}: {row.fallback}.")
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
