"""`ritm-edge bench noc`: how many clicks until the mask is good."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from ...errors import UsageError
from ...io_spec import MASK_THRESHOLD
from ..console import print_json, print_notice, print_table, progress_bar
from ..devices import Listen, On, opened_runtimes
from ..options import (
    AllowChanged,
    AsJson,
    ObjectLimit,
    ReportFile,
    open_data,
    parse_size,
    refuse_idle,
    refuse_overwriting,
    without_session_folders,
)

if TYPE_CHECKING:
    from rich.progress import Progress

    from ritm_edge.benchmarks.noc.report import NocReport
    from ritm_edge.benchmarks.noc.runs import SoFar

JOURNAL_SUFFIX = ".jsonl"

# Options by their groups in the help.
_session, _run, _result = (
    partial(Option, rich_help_panel=title) for title in ("Evaluation", "Speed", "Output")
)


def command(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        Argument(
            metavar="ARTIFACT|CHECKPOINT…",
            help="Files to evaluate; default: the embedded weights.",
            callback=without_session_folders,
        ),
    ] = None,
    data: Annotated[
        list[str] | None, Option(metavar="NAME=DIR", help="Benchmark and its folder; repeatable.")
    ] = None,
    max_clicks: Annotated[int, _session(min=1, help="Per object; 100 adds NoC100@90.")] = 20,
    min_clicks: Annotated[
        int, _session(min=1, help="Per object, even after the target IoU is reached.")
    ] = 1,
    target_iou: Annotated[
        float, _session(min=0.8, max=1.0, help="IoU at which an object is solved.")
    ] = 0.90,
    all_clicks: Annotated[
        bool,
        _session("--all-clicks", help="Never stop early, for complete curves of the mean IoU."),
    ] = False,
    threshold: Annotated[
        float, _session(help="A pixel is object above this probability.")
    ] = MASK_THRESHOLD,
    flip: Annotated[
        bool, _session(help="Average with the mirror image; runs the network twice.")
    ] = True,
    zoom_in: Annotated[bool, _session(help="Crop around the object after click 1.")] = True,
    target_size: Annotated[
        str | None,
        _session(
            metavar="SIDE|HxW",
            help="Longer side of the zoomed crop in pixels, or the size it is stretched to, for "
            "graphs of any size; default: 600 on DAVIS, 400 elsewhere.",
        ),
    ] = None,
    expansion: Annotated[
        float, _session(help="Side of the crop relative to that of the object's box.")
    ] = 1.4,
    min_crop: Annotated[int, _session(help="Smallest side of a crop.")] = 200,
    skip_clicks: Annotated[
        int, _session(min=-1, help="Number of first clicks without zoom-in.")
    ] = 1,
    click_limit: Annotated[
        int | None, _session(min=1, help="Show the network only the first N clicks.")
    ] = None,
    fit: Annotated[
        list[str] | None,
        _session(
            help="How crops are shown to a graph of fixed size: context, letterbox or stretch; "
            "repeat to compare several; default: context."
        ),
    ] = None,
    start_iou: Annotated[
        float | None,
        _session(help="Start from the true mask, damaged to this IoU (for example 0.75)."),
    ] = None,
    protocol: Annotated[
        str | None,
        _session(
            help="How a session answers: published, as the paper's numbers were measured, or app, "
            "what people get; default: published, and app with --start-iou."
        ),
    ] = None,
    session_graphs: Annotated[
        bool,
        _session(
            "--session-graphs",
            help="The app protocol, computed by the session graphs of the files: the whole product "
            "is measured (export --session).",
        ),
    ] = False,
    method: Annotated[
        list[str] | None,
        _session(
            help="What answers a click: plain (one pass of the network); f-brs-a, f-brs-b, "
            "f-brs-c, rgb-brs, distmap-brs (checkpoints only); grabcut, graph-cut, random-walker "
            "(no file); repeatable."
        ),
    ] = None,
    user: Annotated[
        str | None,
        _session(
            help="Who clicks, instead of exactly in the middle of the largest error: "
            "jitter=PIXELS, border or random."
        ),
    ] = None,
    samples: Annotated[
        int, _session(min=1, help="How often --user is played, with other random numbers.")
    ] = 3,
    limit: ObjectLimit = None,
    shard: Annotated[
        str | None,
        _run(
            metavar="I/N",
            help="Evaluate only every N-th object from the I-th on, for N machines at once; "
            "bench merge puts the N results together.",
        ),
    ] = None,
    on: On = None,
    listen: Listen = None,
    jobs: Annotated[
        int, _run("--jobs", "-j", min=1, help="Processes; the results are the same.")
    ] = 1,
    threads: Annotated[int, _run(min=1, help="CPU threads of each process.")] = 1,
    allow_changed: AllowChanged = False,
    output: ReportFile = None,
    journal: Annotated[
        Path | None,
        _result(
            help="JSONL file to which finished objects are appended, and from which the same "
            "command resumes after an interruption; default: beside --output."
        ),
    ] = None,
    fresh: Annotated[bool, _result("--fresh", help="Discard an existing journal.")] = False,
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, _result("--markdown", help="Print the table as Markdown.")
    ] = False,
) -> None:
    """Count the clicks of a simulated user to an IoU of 0.80, 0.85 and 0.90, as published.

    "≥20" is the published count of objects that need all clicks, including those solved by the
    last one; "never" counts only the unsolved ones. Intervals are 95 % bootstrap intervals.

    Example: ritm-edge bench noc --data GrabCut=data/GrabCut model.pth model.onnx -o noc.json
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other: pass one of them.")
    if all_clicks:
        refuse_idle(context, "with --all-clicks", "target_iou", "min_clicks")
    if not zoom_in:
        why = "with --no-zoom-in"
        refuse_idle(context, why, "target_size", "expansion", "min_crop", "skip_clicks")
    if journal is None and output is None:
        refuse_idle(context, "without --journal or --output", "fresh")
    if on is not None:
        refuse_idle(context, "with --on, where one object at a time is run", "jobs")
        refuse_idle(context, "with --on, where only the network runs", "session_graphs")
    if session_graphs:
        refuse_idle(context, "with --session-graphs, which follow the app protocol", "protocol")
        protocol = "graphs"
    if start_iou is not None and protocol == "published":
        raise UsageError("--start-iou follows the app protocol: leave out --protocol published.")
    if user is None:
        refuse_idle(context, "without --user", "samples")
    part = None if shard is None else _parse_shard(shard)
    for name, value in (("min-clicks", min_clicks), ("click-limit", click_limit or 0)):
        if value > max_clicks:
            raise UsageError(f"--{name} {value} is more than --max-clicks {max_clicks}: lower it.")

    from ritm_edge.benchmarks.noc.journal import Journal
    from ritm_edge.benchmarks.noc.report import as_document, as_text
    from ritm_edge.benchmarks.noc.runs import check_slots, measure
    from ritm_edge.benchmarks.noc.table import noc_columns, noc_rows, noc_table
    from ritm_edge.benchmarks.noc.variants import (
        check_methods,
        over_samples,
        refuse_other_protocols,
        variants,
    )

    from ...evaluation.loop import NEVER_STOP, EvaluationSettings
    from ...files import write_output
    from ...methods.base import CLASSICAL
    from ...session.fit import DEFAULT_FIT, check_fit
    from ...session.interactive import check_protocol
    from ...session.zoom_in import ZoomIn
    from ...weights import checkpoint_path

    methods = list(dict.fromkeys(method or []))
    refuse_other_protocols(methods, protocol if start_iou is None else "app")
    benchmarks = [open_data(text) for text in data or []]
    if not benchmarks:
        raise UsageError("no benchmark: pass --data NAME=DIR, for example GrabCut=data/GrabCut.")
    target: int | tuple[int, int] | None = None
    if target_size is not None:
        target = int(target_size) if target_size.isdecimal() else parse_size(target_size)
    zoom = ZoomIn(target or 400, skip_clicks, expansion, min_crop)
    settings = EvaluationSettings(
        max_clicks=max_clicks,
        min_clicks=min_clicks,
        target_iou=NEVER_STOP if all_clicks else target_iou,
        zoom_in=zoom if zoom_in else None,
        flip=flip,
        threshold=threshold,
        click_limit=click_limit,
        start_iou=start_iou,
        protocol=check_protocol(protocol or ("published" if start_iou is None else "app")),
        user=user,
    )
    fits = [check_fit(text) for text in dict.fromkeys(fit or [DEFAULT_FIT])]
    classical = methods and all(each in CLASSICAL for each in methods)
    if classical:
        if files:
            raise UsageError(f"{methods[0]} runs no file: leave {files[0]} out.")
        refuse_idle(
            context, f"for {methods[0]}", *("zoom_in", "flip", "fit", "click_limit", "on", "listen")
        )
    given: list[Path | None] = [*files] if files else ([] if classical else [None])
    paths = [checkpoint_path(path) for path in given]
    runtimes = context.with_resource(
        opened_runtimes(context, paths, on, listen, threads=threads, allow_changed=allow_changed)
    )
    check_methods(methods, runtimes)
    for runtime in runtimes:
        check_slots(runtime, settings)
    if all(runtime.spec.size is None for runtime in runtimes):
        refuse_idle(context, "to graphs of any size", "fit")
    if runtimes and all(runtime.spec.size is not None for runtime in runtimes):
        refuse_idle(context, "to graphs of fixed size", "target_size")
    if journal is None and output is not None:
        journal = output.with_suffix(JOURNAL_SUFFIX)
        refuse_overwriting([output, journal], [])
    book = None if journal is None else Journal(journal, fresh=fresh)
    reports: list[NocReport] = []
    with nullcontext() if book is None else book, progress_bar() as progress:
        for benchmark in benchmarks:
            for each in variants(
                runtimes,
                settings,
                fits=fits,
                methods=methods,
                samples=samples if user else 1,
                place=on,
            ):
                reports.append(
                    measure(
                        each.runtime,
                        benchmark,
                        each.settings,
                        label=each.label,
                        target_size=target,
                        limit=limit,
                        shard=part,
                        jobs=jobs,
                        threads=threads,
                        journal=book,
                        progress=_row(progress, f"{benchmark.name} {each.label}"),
                    )
                )
    document = as_document(reports)
    if output is not None:
        write_output(output, as_text(document))
    if as_json:
        print_json(document)
        return
    if as_markdown:
        typer.echo(noc_table(document["reports"]), nl=False)
        return
    print_table(noc_columns(document["reports"]), noc_rows(document["reports"]))
    for text in over_samples(reports) if user else ():
        print_notice(text)
    if output is not None:
        print_notice(f"saved {output}; {journal} has the clicks and IoUs of every object")
    if jobs == 1 and on is None:
        print_notice("--jobs N evaluates N objects at a time, with the same results")


def _row(bar: "Progress", text: str) -> "Callable[[SoFar], None]":
    """One line of the progress display: objects done, and the NoC over them."""
    task = bar.add_task(text, total=None, status="")

    def update(so_far: "SoFar") -> None:
        done = so_far.done
        if done and bar.tasks[-1].total is None:
            bar.console.print(f"continuing: {done} of {so_far.total} objects are in the journal")
        status = f"{so_far.noc} {so_far.mean_clicks:.2f}" if done else ""
        bar.update(task, completed=done, total=so_far.total, status=status)

    return update


def _parse_shard(text: str) -> tuple[int, int]:
    """ "2/8" → (2, 8). Raises UsageError: not I/N with I between 1 and N."""
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise UsageError(f"'{text}' is not a shard: write I/N, for example 1/8 for the first of 8.")
