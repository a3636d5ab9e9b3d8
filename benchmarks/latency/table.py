"""The results of `bench latency` as rows of text, for the terminal and for Markdown."""

from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any

from ritm_edge.tables import UNMEASURED, markdown_table, optional

COLUMNS = (
    *("file", "runtime", "max error", "mask IoU", "median ms", "p90 ms", "to PyTorch"),
    *("to baseline", "to fp32", "of peak", "cold start ms", "peak MB", "MB"),
)
MARKDOWN_COLUMNS = (
    *("file", "runs in", "max error", "mask IoU", "median ms", "ratio to PyTorch"),
    *("to its baseline graph", "to fp32", "of peak", "cold start ms", "peak MB", "file MB"),
)


def latency_rows(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Cells of `COLUMNS`, one row per `LatencyRow.as_dict()`."""
    return [
        (
            row["path"],
            row["runtime"] if row["engine"] is None else f"{row['runtime']}: {row['engine']}",
            *_parity_cells(row),
            f"{row['median_ms']:.1f}",
            f"{row['p90_ms']:.1f}",
            *_common_cells(row),
        )
        for row in rows
    ]


def latency_table(report: dict[str, Any]) -> str:
    """In Markdown: one row per file, without what no file has, and a line about machine and
    settings."""
    rows = []
    for row in report["rows"]:
        mark = "" if row["is_device_time"] else "*"
        ratio, *common = _common_cells(row)
        rows.append(
            (
                Path(row["path"]).name,
                row["runtime"] if row["engine"] is None else f"{row['runtime']} ({row['engine']})",
                *_parity_cells(row),
                f"{row['median_ms']:.0f}{mark}",
                ratio if ratio == UNMEASURED else ratio + mark,
                *common,
            )
        )
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
    header, *kept = (tuple(compress(cells, measured)) for cells in (MARKDOWN_COLUMNS, *rows))
    return markdown_table(header, kept) + note


def _parity_cells(row: dict[str, Any]) -> tuple[str, str]:
    """What the export measured and stamped into the artifact."""
    parity = row["parity"] or {}
    return optional(parity.get("max_abs"), ".1e"), optional(parity.get("min_mask_iou"), ".4f")


def _common_cells(row: dict[str, Any]) -> tuple[str, ...]:
    percent = optional(row.get("percent_of_roofline"), ".0f")
    return (
        optional(row["ratio_to_pytorch"], ".2f"),
        optional(row.get("ratio_to_baseline"), ".2f"),
        optional(row.get("ratio_to_fp32"), ".2f"),
        percent if percent == UNMEASURED else f"{percent} %",
        f"{row['cold_start_ms']:.0f}",
        f"{row['peak_memory_bytes'] / 1e6:.0f}",
        f"{row['file_bytes'] / 1e6:.1f}",
    )
