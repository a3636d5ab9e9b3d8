"""Tables in Markdown files, made from the JSON that the bench commands wrote.

A file marks a place with `<!-- table: docs/results/NAME.json -->` and `<!-- end of table -->`;
`python -m ritm_edge.benchmarks.markdown README.md …` fills it, from the folder of the first path.
"""

import json
import re
import sys
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any

from ritm_edge.errors import InputFileError
from ritm_edge.files import atomic_output, existing_file

from .fit import KIND as FIT_KIND
from .flops import table as flops
from .flops.report import KIND as FLOPS_KIND
from .noc.report import KIND as NOC_KIND
from .train_speed import KIND as TRAIN_SPEED_KIND
from .train_speed import note, rows

MARK = re.compile(
    r"(?P<start><!-- table: (?P<source>[\w./-]+) -->\n).*?(?P<end><!-- end of table -->)", re.DOTALL
)
UNMEASURED = "—"
MEAN_IOU_CLICKS = (1, 3, 5, 10)


def fill_tables(text: str, root: Path) -> str:
    """The text with every marked table made anew from its JSON file below `root`.

    Raises:
        InputFileError: a JSON file that is missing or of another kind.
    """

    def table(match: re.Match[str]) -> str:
        source = existing_file(root / match["source"])
        return f"{match['start']}{render(json.loads(source.read_text()), source)}{match['end']}"

    return MARK.sub(table, text)


def render(values: Any, source: Path) -> str:
    """A table for the JSON of `bench latency`, `noc`, `fit`, `flops` or `train`.

    Raises:
        InputFileError: none of them.
    """
    if isinstance(values, dict) and "rows" in values:
        return latency_table(values)
    if isinstance(values, dict) and values.get("kind") == NOC_KIND:
        return noc_table(values["reports"])
    if isinstance(values, dict) and values.get("kind") == FIT_KIND:
        return fit_table(values)
    if isinstance(values, dict) and values.get("kind") == FLOPS_KIND:
        return flops_table(values)
    if isinstance(values, dict) and values.get("kind") == TRAIN_SPEED_KIND:
        return _table(("what", "measured"), rows(values)) + f"\n{note(values)}\n"
    if isinstance(values, dict) and values.keys() == {"noc", "macs"}:
        return figures_table(values)
    raise InputFileError(
        f"{source} is no report of bench latency, noc, fit, flops or train: measure again."
    )


def figures_table(figures: dict[str, Any]) -> str:
    """One row per embedded model, from `ritm_edge/weights/figures.json`."""
    rows = [
        (f"`{model}`", f"{figures['macs'][model] / 1e9:.2f}", *(f"{n:.2f}" for n in noc.values()))
        for model, noc in sorted(figures["noc"].items(), key=lambda row: row[1]["GrabCut"])
    ]
    benchmarks = (f"clicks on {name}" for name in next(iter(figures["noc"].values())))
    return _table(("model", "GMACs at 400×400", *benchmarks), rows)


def latency_table(report: dict[str, Any]) -> str:
    """One row per file, and a line about machine and settings."""
    rows = []
    for row in report["rows"]:
        parity = row["parity"]
        device = row["is_device_time"]
        ratio = row["ratio_to_pytorch"]
        rows.append(
            (
                Path(row["path"]).name,
                row["runtime"] if row["engine"] is None else f"{row['runtime']} ({row['engine']})",
                UNMEASURED if parity is None else f"{parity['max_abs']:.1e}",
                UNMEASURED if parity is None else f"{parity['min_mask_iou']:.4f}",
                f"{row['median_ms']:.0f}" + ("" if device else "*"),
                UNMEASURED if ratio is None else f"{ratio:.2f}" + ("" if device else "*"),
                *_optional_cells(row),
                f"{row['cold_start_ms']:.0f}",
                f"{row['peak_memory_bytes'] / 1e6:.0f}",
                f"{row['file_bytes'] / 1e6:.1f}",
            )
        )
    header = (
        "file",
        "runs in",
        "max error",
        "mask IoU",
        "median ms",
        "ratio to PyTorch",
        "to its baseline graph",
        "to fp32",
        "of peak",
        "cold start ms",
        "peak MB",
        "file MB",
    )
    measured = [any(row[i] != UNMEASURED for row in rows) for i in range(len(header))]
    height, width = report["size"]
    machine, settings = report["machine"], report["settings"]
    note = (
        f"\n{height}×{width}, {settings['threads'] or 'default'} threads, "
        f"{settings['runs']} interleaved rounds, {machine['cpu']} "
        f"({machine['usable_cores']} cores).\n"
    )
    roofline = report.get("roofline")
    if roofline is not None:
        note += (
            f"Peak: {roofline['flops_per_s'] / 1e9:.0f} GFLOP/s, measured with a "
            f"{roofline['kernel']}; memory {roofline['bytes_per_s'] / 1e9:.0f} GB/s.\n"
        )
    if not all(row["is_device_time"] for row in report["rows"]):
        note += (
            "\\* a checking tool, not a product's speed: on macOS and iOS Core ML runs the file.\n"
        )
    kept = [tuple(compress(cells, measured)) for cells in (header, *rows)]
    return _table(kept[0], kept[1:]) + note


def _optional_cells(row: dict[str, Any]) -> tuple[str, ...]:
    ratios = row.get("ratio_to_baseline"), row.get("ratio_to_fp32")
    percent = row.get("percent_of_roofline")
    return (
        *(UNMEASURED if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        UNMEASURED if percent is None else f"{percent:.0f} %",
    )


def noc_table(reports: list[dict[str, Any]]) -> str:
    """One row per benchmark and file, and a line that explains the columns."""
    strictest = _at_90(reports[0])
    header = (
        "benchmark",
        "file",
        *(noc["name"] for noc in reports[0]["noc"]),
        "to first file",
        f"≥{strictest['max_clicks']}@90",
        "never @90",
        *(f"IoU@{k}" for k in MEAN_IOU_CLICKS),
        "drops",
        "objects",
    )
    rows = []
    for report in reports:
        noc = _at_90(report)
        difference, drops = noc["difference"], report["share_of_drops"]
        rows.append(
            (
                report["benchmark"],
                report["file"],
                *map(_noc_with_interval, report["noc"]),
                UNMEASURED if difference is None else f"{difference['mean']:+.2f}",
                str(noc["at_limit_published"]),
                str(noc["never_reached"]),
                *(_optional(_mean_iou(report, k)) for k in MEAN_IOU_CLICKS),
                UNMEASURED if drops is None else f"{drops:.1%}",
                str(report["objects"]),
            )
        )
    note = (
        f"\nIntervals are a 95 % bootstrap over the objects; the difference is that of "
        f"{strictest['name']}. ≥{strictest['max_clicks']} is the published count and includes "
        "objects solved at the last click. IoU@k: mean over all objects after k clicks. Drops: "
        "clicks after which the IoU is lower than before by more than 0.02.\n"
    )
    return _table(header, rows) + note


def _noc_with_interval(entry: dict[str, Any]) -> str:
    low, high = entry["interval"]
    return f"{entry['mean']:.2f} ({low:.2f}…{high:.2f})"


def flops_table(document: dict[str, Any]) -> str:
    """One table of networks, one of artifacts."""
    text = _table(flops.MODEL_COLUMNS, flops.model_rows(document))
    if document["artifacts"]:
        text += "\n" + _table(flops.ARTIFACT_COLUMNS, flops.artifact_rows(document))
    return text


def _at_90(report: dict[str, Any]) -> dict[str, Any]:
    found = [noc for noc in report["noc"] if noc["iou"] == 0.9]
    entry: dict[str, Any] = (found or report["noc"])[0]
    return entry


def _mean_iou(report: dict[str, Any], clicks: int) -> float | None:
    means = report["mean_iou"]
    return means[clicks - 1] if clicks <= len(means) else None


def fit_table(report: dict[str, Any]) -> str:
    """One row per alternative, and a line about the reference."""
    header = ("alternative", "whole photo", "zoomed", "all", "95 % interval", "same mask")
    rows = []
    for entry in report["alternatives"]:
        found = [entry["difference"][group] for group in ("whole", "zoomed", "all")]
        low, high = found[-1]["interval"]
        rows.append(
            (
                entry["name"],
                *(UNMEASURED if each is None else f"{each['mean']:+.4f}" for each in found),
                f"{low:+.4f}…{high:+.4f}",
                f"{entry['agreement']:.3f}",
            )
        )
    steps = report["alternatives"][0]["difference"]["all"]["steps"]
    note = (
        f"\nMean IoU minus that of the published zoom-in ({report['reference']['all']:.3f}) on the "
        f"same inputs: {steps} clicks of {report['objects']} objects of {report['benchmark']}, "
        f"{report['file']}. Same mask: mean IoU of the two masks.\n"
    )
    return _table(header, rows) + note


def _optional(value: float | None) -> str:
    return UNMEASURED if value is None else f"{value:.3f}"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    """Fill the tables of the Markdown files named on the command line."""
    paths = [existing_file(Path(argument)) for argument in sys.argv[1:]]
    for path in paths:
        text = fill_tables(path.read_text(), paths[0].resolve().parent)
        with atomic_output(path) as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    main()
