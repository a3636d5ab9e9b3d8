"""The table that `bench noc` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..console import UNMEASURED, print_table

IOU_COLUMNS = (1, 3, 5)


def print_noc(entries: Sequence[Mapping[str, Any]]) -> None:
    """One row per benchmark and file; `entries` as in `noc_report`."""
    print_table(
        (
            "benchmark",
            "file",
            *(noc["name"] for noc in entries[0]["noc"]),
            "95 %",
            "to first",
            *(
                f"{sign}{noc['name'][3:]}"
                for noc in _counted(entries[0])
                for sign in ("≥", "never ")
            ),
            *(f"IoU@{clicks}" for clicks in IOU_COLUMNS),
            "drops",
            "s/click",
            "objects",
        ),
        [_cells(entry) for entry in entries],
    )


def _counted(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The summaries whose over-limit counts the paper gives: those for IoU 0.90, or the last."""
    found = [noc for noc in entry["noc"] if noc["iou"] == 0.9]
    return found or entry["noc"][-1:]


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    main = _counted(entry)[0]
    low, high = main["interval"]
    difference = main["difference"]
    means = [entry["mean_iou"][k - 1] if k <= len(entry["mean_iou"]) else None for k in IOU_COLUMNS]
    drops = entry["share_of_drops"]
    some = entry["objects"] < entry["objects_in_benchmark"]
    return (
        entry["benchmark"],
        entry["file"],
        *(f"{noc['mean']:.2f}" for noc in entry["noc"]),
        f"{low:.2f}…{high:.2f}",
        UNMEASURED if difference is None else f"{difference['mean']:+.2f}",
        *(
            str(noc[key])
            for noc in _counted(entry)
            for key in ("at_limit_published", "never_reached")
        ),
        *(UNMEASURED if mean is None else f"{mean:.3f}" for mean in means),
        UNMEASURED if drops is None else f"{100 * drops:.1f} %",
        f"{entry['seconds_per_click']:.2f}",
        f"{entry['objects']}" + (f" of {entry['objects_in_benchmark']}" if some else ""),
    )
