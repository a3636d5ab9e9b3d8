"""The results of `bench latency` as rows of text, for the terminal and for Markdown."""

from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any

from ritm_edge.tables import UNMEASURED, markdown_table, optional

# Columns, and what of `_cells` stands in them.
TERMINAL = {
    "file": "path",
    "runtime": "runtime",
    **{name: name for name in ("max error", "mask IoU", "median ms", "p90 ms", "to PyTorch")},
    **{name: name for name in ("to baseline", "to fp32", "of peak", "cold start ms", "peak MB")},
    "MB": "file MB",
}
MARKDOWN = {
    **{name: name for name in ("file", "runs in", "max error", "mask IoU")},
    "median ms": "rounded ms",
    "ratio to PyTorch": "marked ratio",
    "to its baseline graph": "to baseline",
    **{name: name for name in ("to fp32", "of peak", "cold start ms", "peak MB", "file MB")},
}


def latency_rows(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Cells of `TERMINAL`, one row per `LatencyRow.as_dict()`."""
    return [[_cells(row)[cell] for cell in TERMINAL.values()] for row in rows]


def latency_table(report: dict[str, Any]) -> str:
    """In Markdown: one row per file, without what no file has, and a line about machine and
    settings."""
    rows = [[_cells(row)[cell] for cell in MARKDOWN.values()] for row in report["rows"]]
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
        note += "\\* in a tool for checking results; on macOS and iOS, Core ML runs the file.\n"
    measured = [any(cell != UNMEASURED for cell in column) for column in zip(*rows, strict=True)]
    header, *kept = (tuple(compress(cells, measured)) for cells in ([*MARKDOWN], *rows))
    return markdown_table(header, kept) + note


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """Everything that a table may show, by its name; errors are those that the export measured and
    stamped into the artifact."""
    parity, runtime, engine = row["parity"] or {}, row["runtime"], row["engine"]
    mark = "" if row["is_device_time"] else "*"
    ratio = optional(row["ratio_to_pytorch"], ".2f")
    percent = optional(row.get("percent_of_roofline"), ".0f")
    return {
        "path": row["path"],
        "file": Path(row["path"]).name,
        "runtime": runtime if engine is None else f"{runtime}: {engine}",
        "runs in": runtime if engine is None else f"{runtime} ({engine})",
        "max error": optional(parity.get("max_abs"), ".1e"),
        "mask IoU": optional(parity.get("min_mask_iou"), ".4f"),
        "median ms": f"{row['median_ms']:.1f}",
        "rounded ms": f"{row['median_ms']:.0f}{mark}",
        "p90 ms": f"{row['p90_ms']:.1f}",
        "to PyTorch": ratio,
        "marked ratio": ratio if ratio == UNMEASURED else ratio + mark,
        "to baseline": optional(row.get("ratio_to_baseline"), ".2f"),
        "to fp32": optional(row.get("ratio_to_fp32"), ".2f"),
        "of peak": percent if percent == UNMEASURED else f"{percent} %",
        "cold start ms": f"{row['cold_start_ms']:.0f}",
        "peak MB": f"{row['peak_memory_bytes'] / 1e6:.0f}",
        "file MB": f"{row['file_bytes'] / 1e6:.1f}",
    }
