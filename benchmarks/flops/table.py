"""The results of `bench flops` as rows of text, for the terminal and for Markdown."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ritm_edge.tables import optional

from .convention import CONVOLUTION, DEPTHWISE, PRODUCT

PRODUCTS = (CONVOLUTION, DEPTHWISE, PRODUCT)

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], str]]  # by name, how a row gives its cell


def model_name(row: Row) -> str:
    """ "deeplab_r50, decoder 128"."""
    channels, name = row["decoder_channels"], str(row["model"])
    return name if channels is None else f"{name}, decoder {channels}"


def _file_name(row: Row) -> str:
    return row["file"] if row["signature"] is None else f"{row['file']} ({row['signature']})"


def _other_flops(row: Row) -> int:
    return sum(work["flops"] for kind, work in row["kinds"].items() if kind not in PRODUCTS)


MODELS: Columns = {
    "network": model_name,
    "parameters": lambda row: f"{row['all_parameters'] / 1e6:.2f} M",
    "GFLOPs, counted as the paper does": lambda row: f"{row['published_flops'] / 1e9:.2f}",
    "paper": lambda row: optional(row["paper_flops"] and row["paper_flops"] / 1e9, ".2f"),
    "executed": lambda row: f"{row['flops'] / 1e9:.2f}",
}
ARTIFACTS: Columns = {
    "file": _file_name,
    "weights": lambda row: f"{row['parameters'] / 1e6:.2f} M",
    "GMACs": lambda row: f"{row['macs'] / 1e9:.2f}",
    "GFLOPs executed": lambda row: f"{row['flops'] / 1e9:.2f}",
    "of it element-wise": lambda row: f"{_other_flops(row) / 1e9:.2f}",
}
KINDS: Columns = {
    "name": lambda row: row.get("file") or model_name(row),
    "kind of layer": lambda row: row["kind"],
    "layers": lambda row: str(row["layers"]),
    "MMACs": lambda row: f"{row['macs'] / 1e6:.1f}",
    "MFLOPs": lambda row: f"{row['flops'] / 1e6:.1f}",
}


def cells(columns: Columns, rows: Iterable[Row]) -> list[list[str]]:
    """What stands in a table with these columns."""
    return [[cell(row) for cell in columns.values()] for row in rows]


def by_kind(rows: Iterable[Row]) -> list[Row]:
    """Models or artifacts, one row per kind of layer."""
    return [{**row, "kind": kind, **work} for row in rows for kind, work in row["kinds"].items()]
