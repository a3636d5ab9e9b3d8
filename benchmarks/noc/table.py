"""The results of `bench noc` as rows of text, for the terminal and for Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from ritm_edge.tables import UNMEASURED, markdown_table, optional

Entry = Mapping[str, Any]  # see `report`
CLICKS, MARKDOWN_CLICKS = (1, 3, 5), (1, 3, 5, 10)


def noc_columns(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Names of the cells of `noc_rows`."""
    counts = [f"{sign}{n['name'][3:]}" for n in _counted(entries[0]) for sign in ("≥", "never ")]
    return (
        *("benchmark", "file", *(noc["name"] for noc in entries[0]["noc"]), "95 %", "to first"),
        *counts,
        *(f"IoU@{clicks}" for clicks in CLICKS),
        *("drops", "s/click", "objects"),
    )


def noc_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """One row per benchmark and file, for the terminal."""
    rows = []
    for entry in entries:
        low, high = _counted(entry)[0]["interval"]
        some = entry["objects"] < entry["objects_in_benchmark"]
        rows.append(
            (
                *(entry["benchmark"], entry["file"]),
                *(f"{noc['mean']:.2f}" for noc in entry["noc"]),
                f"{low:.2f}…{high:.2f}",
                *_to_first(entry),
                *(cell for noc in _counted(entry) for cell in _over_limit(noc)),
                *_mean_ious(entry, CLICKS),
                *_drops(entry, " %"),
                f"{entry['seconds_per_click']:.2f}",
                f"{entry['objects']}" + (f" of {entry['objects_in_benchmark']}" if some else ""),
            )
        )
    return rows


def noc_table(entries: Sequence[Entry]) -> str:
    """In Markdown: one row per benchmark and file, and a line that explains the columns."""
    strictest = _counted(entries[0])[0]
    header = (
        *("benchmark", "file", *(noc["name"] for noc in entries[0]["noc"]), "to first file"),
        *(f"≥{strictest['max_clicks']}@90", "never @90"),
        *(f"IoU@{clicks}" for clicks in MARKDOWN_CLICKS),
        *("drops", "objects"),
    )
    rows = [
        (
            *(entry["benchmark"], entry["file"]),
            *("{mean:.2f} ({interval[0]:.2f}…{interval[1]:.2f})".format(**n) for n in entry["noc"]),
            *_to_first(entry),
            *_over_limit(_counted(entry)[0]),
            *_mean_ious(entry, MARKDOWN_CLICKS),
            *_drops(entry, "%"),
            str(entry["objects"]),
        )
        for entry in entries
    ]
    note = (
        f"\nIntervals are a 95 % bootstrap over the objects; the difference is that of "
        f"{strictest['name']}. ≥{strictest['max_clicks']} is the published count and includes "
        "objects solved at the last click. IoU@k: mean over all objects after k clicks. Drops: "
        "clicks after which the IoU is lower than before by more than 0.02.\n"
    )
    return markdown_table(header, rows) + note


def _counted(entry: Entry) -> list[Mapping[str, Any]]:
    """The summaries whose over-limit counts the paper gives: those for IoU 0.90, or the last."""
    return [noc for noc in entry["noc"] if noc["iou"] == 0.9] or entry["noc"][-1:]


def _to_first(entry: Entry) -> tuple[str]:
    difference = _counted(entry)[0]["difference"]
    return (optional(difference and difference["mean"], "+.2f"),)


def _over_limit(noc: Mapping[str, Any]) -> tuple[str, str]:
    return str(noc["at_limit_published"]), str(noc["never_reached"])


def _mean_ious(entry: Entry, clicks: Sequence[int]) -> list[str]:
    means = dict(enumerate(entry["mean_iou"], start=1))
    return [optional(means.get(each), ".3f") for each in clicks]


def _drops(entry: Entry, percent: str) -> tuple[str]:
    share = entry["share_of_drops"]
    return (UNMEASURED if share is None else f"{100 * share:.1f}{percent}",)
