"""`ritm-edge bench paper`: the paper's tables and figures from what was measured."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from ...errors import OutputFileError, UsageError
from ..console import print_json, print_notice, print_table
from ..options import AllowChanged, AsJson, Threads, open_data, parse_pair, refuse_idle

if TYPE_CHECKING:
    from ritm_edge.benchmarks.paper.gallery import Step

    from ...runtimes.base import Runtime

SAMPLE_CLICKS = ((110, 220, True), (60, 225, True), (110, 60, False))  # the head
FILES = ("tables.md", "mean-iou.png", "mean-iou.svg", "clicks.png", "external-mask.png")
START_IOU = 0.75  # of the external masks in the gallery


def command(
    context: typer.Context,
    results: Annotated[
        list[Path] | None,
        Argument(
            metavar="RESULTS…",
            help="JSON files of bench noc, and of bench flops for Table 4.",
        ),
    ] = None,
    row: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=LABEL",
            help="Put the measured file LABEL into the row NAME (a published checkpoint or a "
            "recipe); not needed if their names are the same. Repeatable.",
        ),
    ] = None,
    model: Annotated[
        Path | None, Option(help="Model file for Figures 1 and 5; default: the embedded weights.")
    ] = None,
    data: Annotated[
        str | None,
        Option(
            metavar="NAME=DIR",
            help="Benchmark for Figures 1 and 5; default: the sample photo.",
        ),
    ] = None,
    objects: Annotated[int, Option(min=1, max=20, help="Objects in Figures 1 and 5.")] = 3,
    clicks: Annotated[int, Option(min=1, max=20, help="Clicks per object.")] = 5,
    gallery: Annotated[bool, Option(help="Draw Figures 1 and 5.")] = True,
    threads: Threads = None,
    allow_changed: AllowChanged = False,
    output: Annotated[Path, Option("--output", "-o", help="Folder for tables and figures.")] = Path(
        "paper"
    ),
    as_json: AsJson = False,
) -> None:
    """Reproduce the paper's Tables 1 to 7 and Figures 1, 4, 5 and 6 from measurements.

    Measured values are shown next to the published ones; "—" means that a value was not measured
    or has no known source. Writes tables.md, tables.json, mean-iou.png and .svg (Figures 4 and 6),
    clicks.png (Figure 5) and external-mask.png (Figure 1).

    Example: ritm-edge bench paper noc.json flops.json --data GrabCut=data/GrabCut -o paper
    """
    example = "coco_lvis_h18s_itermask=model.onnx"
    names = dict(parse_pair(text, "NAME=LABEL", example=example) for text in row or [])
    if not results and not gallery:
        raise UsageError("nothing to do: pass results of bench noc, or leave out --no-gallery.")
    if not results:
        refuse_idle(context, "without results", "row")
    if not gallery:
        why = "with --no-gallery"
        refuse_idle(context, why, "model", "data", "objects", "clicks", "threads")
    if data is None:
        refuse_idle(context, "without --data", "objects")
    taken = [output / name for name in FILES if (output / name).exists()]
    if taken and not (output / "tables.json").is_file():
        raise OutputFileError(f"{taken[0]} is not from bench paper: choose another --output.")

    from ...optional import require

    require("pydantic", extra="report")
    require("matplotlib", extra="report")
    from ritm_edge.benchmarks.paper.curves import curve_of, draw_curves
    from ritm_edge.benchmarks.paper.tables import as_markdown, paper_tables
    from ritm_edge.benchmarks.results import FlopsResults, noc_runs, read_results

    from ...files import atomic_output, write_output
    from ...runtimes.base import open_runtime
    from ...weights import checkpoint_path

    read = [read_results(path) for path in results or []]
    if not any(isinstance(each, FlopsResults) for each in read):
        from ritm_edge.benchmarks.flops.report import as_document, measure_models

        counts = as_document(measure_models(), [])
        read.append(FlopsResults.model_validate(counts))
    tables = paper_tables(read, names)
    curves = [curve_of(run) for run in noc_runs(read)]
    pictures = {}
    if gallery:
        chosen = checkpoint_path(model)
        runtime = open_runtime(chosen, threads=threads, allow_changed=allow_changed)
        pictures = _galleries(runtime, data, objects, clicks)

    values = [table.as_dict() for table in tables]
    for name, text in (
        ("tables.md", as_markdown(tables)),
        ("tables.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n"),
    ):
        write_output(output / name, text)
    for suffix in (".png", ".svg") if curves else ():
        with atomic_output(output / f"mean-iou{suffix}") as temporary:
            draw_curves(curves, temporary)
    for name, steps in pictures.items():
        from ritm_edge.benchmarks.paper.gallery import draw_gallery

        with atomic_output(output / name) as temporary:
            draw_gallery(steps, temporary)
    if as_json:
        print_json(values)
    else:
        for table in tables:
            title = f"Table {table.number}: {table.title}"
            if table.is_empty:
                print_notice(f"{title}: nothing measured")
            else:
                print_table(table.header, table.rows, title=title)
    print_notice(f"saved {', '.join(str(p) for p in sorted(output.iterdir()))}")


def _galleries(
    runtime: "Runtime", data: str | None, objects: int, clicks: int
) -> dict[str, list[list["Step"]]]:
    import numpy as np

    from ritm_edge.benchmarks.paper.gallery import scripted_steps, simulated_steps

    from ...clicks import Click
    from ...data import Sample
    from ...imaging.images import read_photo
    from ...samples import sample_photo
    from ...session.interactive import InteractiveSession

    if data is None:
        image = read_photo(sample_photo())
        chosen = [Click(*place, order) for order, place in enumerate(SAMPLE_CLICKS[:clicks])]
        session = InteractiveSession(runtime)
        sessions = [scripted_steps(session, image, chosen)]
        # There is no true mask: the selection just made takes its place.
        selected = session.mask.astype(np.int32)
        samples: tuple[Sample, ...] = (Sample("sample", sample_photo(), lambda: selected),)
    else:
        samples = open_data(data).samples[:objects]
        sessions = [simulated_steps(runtime, sample, clicks=clicks) for sample in samples]
    pictures = {"clicks.png": sessions}
    if runtime.spec.prev_mask:
        pictures["external-mask.png"] = [
            simulated_steps(runtime, sample, clicks=clicks, start_iou=START_IOU)
            for sample in samples
        ]
    return pictures
