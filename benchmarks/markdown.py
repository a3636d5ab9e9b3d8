"""Tables in Markdown files, made from the JSON that the bench commands wrote.

A file marks a place with `<!-- table: docs/results/NAME.json -->` (or, for training speeds and for
users, `NAME-*.json`: one table of all) and `<!-- end of table -->`;
`python -m ritm_edge.benchmarks.markdown README.md …` fills it, from the folder of the first path.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from ritm_edge.devices import HERE
from ritm_edge.errors import InputFileError
from ritm_edge.files import existing_file, write_output
from ritm_edge.tables import UNMEASURED, markdown_table
from ritm_edge.verification.accelerators import KIND as ACCELERATORS_KIND
from ritm_edge.verification.accelerators import device_table, emulation_table, engine_table

from .fit import KIND as FIT_KIND
from .fit_table import fit_table
from .flops import table as flops
from .flops.report import KIND as FLOPS_KIND
from .frontier import KIND as FRONTIER_KIND
from .frontier import frontier_table
from .latency.table import latency_table
from .noc.report import KIND as NOC_KIND
from .noc.table import noc_table, users_table
from .train_speed import KIND as TRAIN_SPEED_KIND
from .train_speed import note, rows
from .train_speed import table as train_speed_table

MARK = re.compile(
    r"(?P<start><!-- table: (?P<source>[\w./*-]+) -->\n).*?(?P<end><!-- end of table -->)",
    re.DOTALL,
)


def fill_tables(text: str, root: Path) -> str:
    """The text with every marked table filled again from its JSON file below `root`. Raises
    InputFileError: a JSON file that is missing or of another kind."""

    def table(match: re.Match[str]) -> str:
        source = root / match["source"]
        several = sorted(source.parent.glob(source.name)) if "*" in source.name else []
        if several:
            documents = [json.loads(each.read_text()) for each in several]
            if documents[0].get("kind") == NOC_KIND:
                text = users_table([each for found in documents for each in found["reports"]])
            else:
                text = train_speed_table(documents)
        else:
            text = render(json.loads(existing_file(source).read_text()), source)
        return f"{match['start']}{text}{match['end']}"

    return MARK.sub(table, text)


def render(values: Any, source: Path) -> str:
    """A table for the JSON of `bench latency`, `noc`, `fit`, `flops`, `frontier` or `train`, of
    `verify` or of `make web-speed`. Raises InputFileError: none of them."""
    if isinstance(values, dict) and "rows" in values:
        return latency_table(values)
    if isinstance(values, dict) and values.get("kind") == NOC_KIND:
        return noc_table(values["reports"])
    if isinstance(values, dict) and values.get("kind") == FIT_KIND:
        return fit_table(values)
    if isinstance(values, dict) and values.get("kind") == FLOPS_KIND:
        return flops_table(values)
    if isinstance(values, dict) and values.get("kind") == FRONTIER_KIND:
        return frontier_table(values["points"])
    if isinstance(values, dict) and values.get("kind") == TRAIN_SPEED_KIND:
        return markdown_table(("what", "measured"), rows(values)) + f"\n{note(values)}\n"
    if isinstance(values, dict) and "case_results" in values:
        return parity_table(values)
    if isinstance(values, dict) and values.get("kind") == "ritm-edge browser click times":
        return click_times_table(values)
    if isinstance(values, dict) and values.get("kind") == ACCELERATORS_KIND:
        return accelerator_tables(values)
    if isinstance(values, dict) and values.keys() == {"noc", "macs"}:
        return figures_table(values)
    raise InputFileError(
        f"{source} is not a report of bench latency, noc, fit, flops, frontier or train: measure "
        "again."
    )


def figures_table(figures: dict[str, Any]) -> str:
    """One row per embedded model, from `ritm_edge/weights/figures.json`."""
    rows = [
        (f"`{model}`", f"{figures['macs'][model] / 1e9:.2f}", *(f"{n:.2f}" for n in noc.values()))
        for model, noc in sorted(figures["noc"].items(), key=lambda row: row[1]["GrabCut"])
    ]
    benchmarks = (f"clicks on {name}" for name in next(iter(figures["noc"].values())))
    return markdown_table(("model", "GMACs at 400×400", *benchmarks), rows)


def parity_table(report: dict[str, Any]) -> str:
    """One row, from `verify --json`."""
    device = report.get("device") or {}
    limits = report["tolerance"]
    cells = {
        "file": report["artifact"],
        "on": device.get("place", HERE),
        "engine": f"{device['engine']}, {device['threads']} threads" if device else UNMEASURED,
        "cases": str(report["cases"]),
        "largest difference": f"{report['max_abs']:.1e} (limit {limits['atol']:.0e})",
        "smallest mask IoU": f"{report['min_mask_iou']:.4f} (limit {limits['min_mask_iou']})",
    }
    return markdown_table([*cells], [[*cells.values()]])


def click_times_table(values: dict[str, Any]) -> str:
    """One row per artifact, from `make web-speed`: median milliseconds of a click."""
    names = {"page": "click to mask on the page", "browser": "session in it", "native": "native"}
    rows = (
        (each["file"], *(f"{each[name]['median_ms']:.0f}" for name in names))
        for each in values["models"]
    )
    note = "Median ms; {threads} threads, {rounds} × {clicks} clicks, {browser}, {cpu}."
    return markdown_table(("file", *names.values()), rows) + f"\n{note.format(**values)}\n"


def accelerator_tables(document: dict[str, Any]) -> str:
    """What `scripts/half_precision.py` found, emulated or on real devices."""
    if "devices" in document:
        return markdown_table(*device_table(document["devices"]))
    tables = emulation_table(document["artifacts"]), engine_table(document["artifacts"])
    return "\n".join(markdown_table(*each) for each in tables if each[1])


def flops_table(document: dict[str, Any]) -> str:
    """One table of networks, one of artifacts."""
    tables = (flops.MODELS, document["models"]), (flops.ARTIFACTS, document["artifacts"])
    return "\n".join(
        markdown_table([*each], flops.cells(each, rows)) for each, rows in tables if rows
    )


def main() -> None:
    """Fill the tables of the Markdown files named on the command line."""
    paths = [existing_file(Path(argument)) for argument in sys.argv[1:]]
    for path in paths:
        text = fill_tables(path.read_text(), paths[0].resolve().parent)
        write_output(path, text)


if __name__ == "__main__":
    main()
