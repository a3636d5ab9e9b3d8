"""`ritm-edge bench rewrites`: how much time each rewrite of the graph saves on a target."""

from typing import Annotated

from typer import Option

from ...io_spec import DEFAULT_MAX_CLICKS, DEFAULT_SIZE, IOSpec
from ..console import print_table, progress_bar
from ..options import (
    AllowChanged,
    AsJson,
    Checkpoint,
    ClickSlots,
    InputSize,
    ReportFile,
    Threads,
    deliver,
    parse_size,
)


def command(
    target: Annotated[str, Option("--target", "-t", help="onnx, tflite or coreml.")] = "onnx",
    checkpoint: Checkpoint = None,
    allow_changed: AllowChanged = False,
    size: InputSize = None,
    max_clicks: ClickSlots = DEFAULT_MAX_CLICKS,
    threads: Threads = None,
    runs: Annotated[int, Option(min=1, help="Timed rounds.")] = 20,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Time the graph without rewrites, then with one more rewrite each time, in turns.

    Example: ritm-edge bench rewrites --target onnx --threads 2
    """
    from ritm_edge.benchmarks.latency.timing import LatencySettings, measure, step_count
    from ritm_edge.benchmarks.rewrite_shares import rewrite_shares
    from ritm_edge.export.pipeline import export_checkpoint
    from ritm_edge.export.registry import find_target

    from ...files import scratch_folder
    from ...weights import checkpoint_path

    chosen = find_target(target)
    names = chosen.rewrites
    spec = IOSpec(*(parse_size(size) if size else DEFAULT_SIZE), max_clicks=max_clicks)
    settings = LatencySettings(runs=runs, cold_starts=1, threads=threads)
    count = len(names) + 1
    with scratch_folder() as folder, progress_bar() as bar:
        task = bar.add_task("rewrites", total=count + step_count(count, settings), status="")
        paths = []
        for number in range(count):
            bar.update(
                task, status=f"export {names[number - 1] if number else 'the baseline graph'}"
            )
            item = export_checkpoint(
                checkpoint_path(checkpoint),
                chosen,
                spec=spec,
                output=folder / str(number),
                rewrites=names[:number],
                allow_changed=allow_changed,
            )
            paths.append(item.path)
            bar.update(task, advance=1)
        report = measure(
            paths,
            settings=settings,
            pytorch=False,
            report=lambda text: bar.update(task, advance=1, status=text),
        )
    shares = rewrite_shares(names, report)
    values = {"target": target, "shares": shares, **report.as_dict()}
    if deliver(values, output, as_json):
        return
    print_table(
        ("rewrite", "median ms", "to previous", "to baseline"),
        [("none", f"{report.rows[0].median_ms:.1f}", "", "1.00")]
        + [
            (
                share["name"],
                f"{share['median_ms']:.1f}",
                f"{share['ratio_to_previous']:.3f}",
                f"{share['ratio_to_baseline']:.3f}",
            )
            for share in shares
        ],
        title=f"{target}, {settings.runs} rounds, {settings.threads or 'default'} threads",
    )
