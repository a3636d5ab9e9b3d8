"""Results about accelerators as `--json` writes them, and their tables, the same on every page."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..tables import UNMEASURED, optional

KIND = "ritm-edge accelerators"
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def half_verdict(half: Mapping[str, Any] | None) -> str:
    """What an artifact's description says under "half_precision"."""
    if half is None:
        return UNMEASURED
    return "safe" if half["safe"] else f"not safe, because {half['reason']}"


def emulation_table(artifacts: Sequence[dict[str, Any]]) -> Table:
    """Columns and rows of "modes", each as `HalfReport.as_dict` gives it."""
    modes = [(each["artifact"], mode) for each in artifacts for mode in each.get("modes", ())]
    counts = list(modes[0][1]["mask_iou_after_clicks"]) if modes else []
    columns = "file", "emulated", *(f"IoU@{n}" for n in counts), "limit", "half precision"
    return columns, [
        (
            name,
            mode["mode"],
            *(f"{value:.4f}" for value in mode["mask_iou_after_clicks"].values()),
            str(mode["min_mask_iou"]),
            mode["reason"] or "safe",
        )
        for name, mode in modes
    ]


def engine_table(artifacts: Sequence[dict[str, Any]]) -> Table:
    """Columns and rows of "delegates", each with the attributes of `Delegate`."""
    return ("file", "engine", "operations", "partitions", "left out"), [
        (
            each["artifact"],
            found["engine"],
            f"{optional(found['taken'], 'd')}/{found['operations']}",
            optional(found["partitions"], "d"),
            ", ".join(found["refused"]) or "none known",
        )
        for each in artifacts
        for found in each.get("delegates", ())
    ]


def device_table(devices: Sequence[dict[str, Any]]) -> Table:
    """Columns and rows of what `scripts/half_precision.py --real` found."""
    counts = list(devices[0]["mask_iou"]) if devices else []
    return ("file", "device", *(f"IoU@{n}" for n in counts)), [
        (each["file"], each["device"], *(f"{n:.4f}" for n in each["mask_iou"].values()))
        for each in devices
    ]
