"""The results of `bench flops` as rows of text, for the terminal and for Markdown."""

from collections.abc import Iterable
from typing import Any

from ritm_edge.tables import optional

from .convention import CONVOLUTION, DEPTHWISE, PRODUCT

PRODUCTS = (CONVOLUTION, DEPTHWISE, PRODUCT)

MODEL_COLUMNS = ("network", "parameters", "GFLOPs, counted as the paper does", "paper", "executed")
ARTIFACT_COLUMNS = ("file", "weights", "GMACs", "GFLOPs executed", "of it element-wise")
KIND_COLUMNS = ("name", "kind of layer", "layers", "MMACs", "MFLOPs")


def model_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of `MODEL_COLUMNS`, one row per network."""
    return [
        (
            model_name(row),
            f"{row['all_parameters'] / 1e6:.2f} M",
            f"{row['published_flops'] / 1e9:.2f}",
            optional(row["paper_flops"] and row["paper_flops"] / 1e9, ".2f"),
            f"{row['flops'] / 1e9:.2f}",
        )
        for row in document["models"]
    ]


def artifact_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of `ARTIFACT_COLUMNS`, one row per file and signature."""
    return [
        (
            row["file"] if row["signature"] is None else f"{row['file']} ({row['signature']})",
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['macs'] / 1e9:.2f}",
            f"{row['flops'] / 1e9:.2f}",
            f"{_other_flops(row) / 1e9:.2f}",
        )
        for row in document["artifacts"]
    ]


def kind_rows(rows: Iterable[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Cells of `KIND_COLUMNS`, one row per kind of layer of several models or artifacts."""
    return [
        (
            row.get("file") or model_name(row),
            kind,
            str(work["layers"]),
            f"{work['macs'] / 1e6:.1f}",
            f"{work['flops'] / 1e6:.1f}",
        )
        for row in rows
        for kind, work in row["kinds"].items()
    ]


def model_name(row: dict[str, Any]) -> str:
    """ "deeplab_r50, decoder 128"."""
    channels = row["decoder_channels"]
    name = str(row["model"])
    return name if channels is None else f"{name}, decoder {channels}"


def _other_flops(row: dict[str, Any]) -> int:
    return sum(work["flops"] for kind, work in row["kinds"].items() if kind not in PRODUCTS)
