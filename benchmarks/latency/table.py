"""The results of `bench latency` as rows of text, for the terminal and for Markdown."""

from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

from ritm_edge.devices import HERE
from ritm_edge.tables import UNMEASURED, markdown_table, optional

# Columns, and what of `_cells` stands in them.
TERMINAL = {
    "file": "path",
    **{name: name for name in ("on", "runtime", "threads")},
    **{name: name for name in ("max error", "mask IoU", "median ms", "p90 ms", "to PyTorch")},
    **{name: name for name in ("to baseline", "to fp32", "of peak", "wire ms", "cold start ms")},
    "peak MB": "peak MB",
    "MB": "file MB",
}
MARKDOWN = {
    **{name: name for name in ("file", "on", "runs in", "threads", "max error", "mask IoU")},
    "median ms": "rounded ms",
    "ratio to PyTorch": "marked ratio",
    "to its baseline graph": "to baseline",
    **{name: name for name in ("to fp32", "of peak", "wire ms", "cold start ms", "peak MB")},
    "file MB": "file MB",
}


def terminal_table(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The columns and one row per `LatencyRow.as_dict()`, without what no row has."""
    return _measured(TERMINAL, rows)


def _measured(columns: Mapping[str, str], rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    cells = [[_cells(row)[cell] for cell in columns.values()] for row in rows]
    # A column that says "here" in every row says nothing.
    kept = [
        any(cell not in (UNMEASURED, HERE) for cell in column)
        for column in zip(*cells, strict=True)
    ]
    return [list(compress(line, kept)) for line in ([*columns], *cells)]


def latency_table(report: dict[str, Any]) -> str:
    """In Markdown: one row per file, without what no file has, and a line about machine and
    settings."""
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
    for row in report["rows"]:
        if row.get("fallback"):
            note += f"{Path(row['path']).name} on {row['place']}: {row['fallback']}.\n"
    header, *kept = _measured(MARKDOWN, report["rows"])
    return markdown_table(header, kept) + note


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """Everything that a table may show, by its name; errors are those that the export measured and
    stamped into the artifact."""
    parity, runtime, engine = row["parity"] or {}, row["runtime"], row["engine"]
    peak = row["peak_memory_bytes"]
    mark = "" if row["is_device_time"] else "*"
    ratio = optional(row["ratio_to_pytorch"], ".2f")
    percent = optional(row.get("percent_of_roofline"), ".0f")
    return {
        "path": row["path"],
        "on": row.get("place", HERE),
        "threads": optional(row.get("threads"), "d"),
        "wire ms": optional(row.get("wire_ms"), ".1f"),
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
        "peak MB": optional(None if peak is None else peak / 1e6, ".0f"),
        "file MB": f"{row['file_bytes'] / 1e6:.1f}",
    }
