"""The results of `bench noc` as rows of text, for the terminal and for Markdown."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from ritm_edge.tables import UNMEASURED, markdown_table, optional

IOU_CLICKS = (1, 3, 5)
Entry = Mapping[str, Any]  # see `report`


def noc_columns(entries: Sequence[Entry]) -> list[str]:
    """Names of the cells of `noc_rows`."""
    names = [noc["name"] for noc in entries[0]["noc"]]
    counts = [f"{sign}{n['name'][3:]}" for n in counted(entries[0]) for sign in ("≥", "never ")]
    means = [f"IoU@{clicks}" for clicks in IOU_CLICKS]
    first, last = ["benchmark", "file"], ["drops", "s/click", "peak MB", "objects"]
    return [*first, *names, "95 %", "to first", *counts, *means, *last]


def noc_rows(entries: Sequence[Entry]) -> list[list[str]]:
    """One row per benchmark and file, for the terminal."""
    return [[noc_cells(each).get(c, UNMEASURED) for c in noc_columns(entries)] for each in entries]


def noc_table(entries: Sequence[Entry]) -> str:
    """In Markdown: one row per benchmark and file, and a line that explains the columns. Where
    methods are compared, seconds and memory are among them."""
    main = counted(entries[0])[0]
    limit, name = main["max_clicks"], main["name"]
    columns = {
        "benchmark": "benchmark",
        "file": "file",
        **{f"{noc['name']} with interval": noc["name"] for noc in entries[0]["noc"]},
        "to first": "to first file",
        f"≥{name[3:]}": f"≥{limit}@90",
        f"never {name[3:]}": "never @90",
        **{f"IoU@{clicks}": f"IoU@{clicks}" for clicks in (1, 3, 5, 10)},
    }
    if any(entry.get("settings", {}).get("method") for entry in entries):
        columns |= {"s/click": "s per click", "peak MB": "peak MB"}
    rows = []
    for entry in entries:
        cells = noc_cells(entry)
        drops, objects = cells["drops"].replace(" ", ""), str(entry["objects"])
        rows.append([*(cells.get(column, UNMEASURED) for column in columns), drops, objects])
    note = (
        f"\nIntervals are 95 % bootstrap intervals; differences are those of {name}. "
        f"≥{limit} is the published count and includes objects solved at the last click. IoU@k: "
        "mean over all objects after k clicks. Drops: share of clicks that lower the IoU by more "
        "than 0.02.\n"
    )
    return markdown_table([*columns.values(), "drops", "objects"], rows) + note


def users_table(entries: Sequence[Entry]) -> str:
    """In Markdown: the mean of the samples of every benchmark, file and user, and their standard
    deviation."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        user, file = entry["settings"]["user"], entry["file"]
        if user is not None:
            file = file.rpartition(f" {user} ")[0]
        groups.setdefault((entry["benchmark"], file, user or "published"), []).append(entry)
    rows = []
    for group, samples in groups.items():
        means = zip(*([noc["mean"] for noc in each["noc"]] for each in samples), strict=True)
        rows.append([*group, str(len(samples)), *map(mean_and_spread, means)])
    names = (noc["name"] for noc in entries[0]["noc"])
    return markdown_table(["benchmark", "file", "user", "samples", *names], sorted(rows))


def mean_and_spread(values: Sequence[float]) -> str:
    """The mean and, of more than one value, the standard deviation."""
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def counted(entry: Entry) -> list[Mapping[str, Any]]:
    """The summaries whose over-limit counts the paper gives: those for IoU 0.90, or the last."""
    return [noc for noc in entry["noc"] if noc["iou"] == 0.9] or entry["noc"][-1:]


def noc_cells(entry: Entry) -> dict[str, str]:
    """Everything that a table may show, by its name; what is not in the entry is not measured."""
    main = counted(entry)[0]
    drops, difference = entry.get("share_of_drops"), main["difference"]
    peak = entry.get("peak_memory_bytes")
    of_all = ""
    if entry["objects"] < entry["objects_in_benchmark"]:
        of_all = f" of {entry['objects_in_benchmark']}"
    cells = {
        "benchmark": entry["benchmark"],
        "file": entry["file"],
        "95 %": _interval(main),
        "to first": optional(difference and difference["mean"], "+.2f"),
        "drops": UNMEASURED if drops is None else f"{100 * drops:.1f} %",
        "s/click": f"{entry['seconds_per_click']:.2f}",
        "peak MB": optional(peak and peak / 1e6, ".0f"),
        "objects": f"{entry['objects']}{of_all}",
    }
    for noc in entry["noc"]:
        name, value = noc["name"], f"{noc['mean']:.2f}"
        cells |= {name: value, f"{name} with interval": f"{value} ({_interval(noc)})"}
        cells[f"≥{name[3:]}"] = str(noc["at_limit_published"])
        cells[f"never {name[3:]}"] = str(noc["never_reached"])
    means = enumerate(entry.get("mean_iou", ()), start=1)
    return cells | {f"IoU@{clicks}": optional(value, ".3f") for clicks, value in means}


def _interval(noc: Mapping[str, Any]) -> str:
    return "{:.2f}…{:.2f}".format(*noc["interval"])
