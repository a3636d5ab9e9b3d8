"""The paper's Tables 1 to 7: every row of the paper, measured values next to the published ones.

A measured file stands in a row when its label is one of the row's: the name of a published
checkpoint ("coco_lvis_h18s_itermask.pth"), of a training recipe ("ablation-loss-bce"), with any
suffix, or of a method without a network ("graph-cut"). Table 7 also lists every other file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ritm_edge.tables import UNMEASURED, markdown_table, optional

from ..published import published
from ..results import FlopsResults, NocRun, Results, noc_runs

RUNTIME_ORDER = ("pytorch", "onnx", "tflite", "coreml")
EMPTY = f"{UNMEASURED} / {UNMEASURED}"


@dataclass(frozen=True)
class PaperTable:
    """One table, its cells as text ("—" where nothing was measured or is known), and one sentence
    about sources, which may be empty."""

    number: int
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it was measured or is known."""
        return all(cell == EMPTY for row in self.rows for cell in row[2:])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "table": self.number,
            "title": self.title,
            "header": list(self.header),
            "rows": [list(row) for row in self.rows],
            "note": self.note,
        }


def paper_tables(results: Sequence[Results], rows: Mapping[str, str]) -> list[PaperTable]:
    """Tables 1 to 7 from results of `bench noc` and `bench flops`; others are not used. `rows` maps
    the name of a row to the label of the measured file that belongs there, beyond the rule of the
    module."""
    runs = _Runs(results, rows)
    tables = [_clicks(each, runs) for each in published()["tables"]]
    return sorted([*tables, _table_4(results)], key=lambda table: table.number)


class _Runs:
    """Measured files by normalised label and benchmark."""

    def __init__(self, results: Sequence[Results], rows: Mapping[str, str]) -> None:
        self.used: set[str] = set()
        self.by_label: dict[str, list[NocRun]] = {}
        for run in noc_runs(results):
            self.by_label.setdefault(run.file, []).append(run)
        self.rows = {row_name(name): label for name, label in rows.items()}

    def label_of(self, names: Sequence[str], method: str | None) -> str | None:
        """Of the file that belongs in a row of these names, refined by `method`; of several
        runtimes the first in `RUNTIME_ORDER`."""
        ending = "" if method is None else f" {method}"
        for name in names:
            if name in self.rows:
                label = self.rows[name] + ending
                return label if label in self.by_label else None
        labels = [
            label
            for label in self.by_label
            if label.endswith(ending) and row_name(label.removesuffix(ending)) in names
        ]
        return min(labels, key=self._rank, default=None)

    def _rank(self, label: str) -> tuple[int, str]:
        runtime = self.by_label[label][0].runtime
        order = RUNTIME_ORDER.index(runtime) if runtime in RUNTIME_ORDER else len(RUNTIME_ORDER)
        return order, label

    def measured(self, label: str | None, benchmark: str, figure: str) -> float | None:
        """ "NoC20@90", or "never 20@90": objects that did not get there."""
        never = figure.startswith("never ")
        name = f"NoC{figure.removeprefix('never ')}" if never else figure
        for run in self.by_label.get(label or "", []):
            if run.benchmark == benchmark and run.objects == run.objects_in_benchmark:
                for entry in run.noc:
                    if entry.name == name:
                        return entry.never_reached if never else entry.mean
        return None


def row_name(label: str) -> str:
    """ "Ablation-Loss-BCE-dynamic.onnx" → "ablation_loss_bce"."""
    name = label.rsplit("/", 1)[-1]
    for suffix in (".pth", ".safetensors", ".onnx", ".tflite", ".mlpackage"):
        name = name.removesuffix(suffix)
    name = name.removesuffix("-dynamic")
    return name.lower().replace("-", "_")


def _clicks(table: dict[str, Any], runs: _Runs) -> PaperTable:
    """Any table of clicks; its columns and rows say what is measured for a cell."""
    columns = table["columns"]
    rows, used = [], set()
    for row in table["rows"]:
        cells, label = [], None
        for column, value in zip(columns, row["values"], strict=True):
            label = runs.label_of(row["labels"], column.get("method"))
            used.add(label)
            benchmark = column["benchmark"] or row["benchmark"]
            cells.append(_cell(runs.measured(label, benchmark, column["figure"]), value))
        rows.append((row["name"], label or ", ".join(row["labels"]) or UNMEASURED, *cells))
    if table["table"] == 7:
        for label in runs.by_label:
            if label not in used:
                found = (runs.measured(label, c["benchmark"], c["figure"]) for c in columns)
                rows.append((label, label, *(_cell(value, None) for value in found)))
    header = ("row", "recipe or file", *(column["name"] for column in columns))
    note = f"Measured / published. {table['conditions']} {_source('paper')}"
    return PaperTable(table["table"], table["title"], header, tuple(rows), note)


def _cell(measured: float | None, value: float | None) -> str:
    """ "2.42 / 1.68"; whole numbers without decimals."""
    texts = (optional(v, "d" if isinstance(v, int) else ".2f") for v in (measured, value))
    return " / ".join(texts)


def _table_4(results: Sequence[Results]) -> PaperTable:
    measured = {
        (model.model, model.decoder_channels): model
        for result in results
        if isinstance(result, FlopsResults) and result.size == published()["flops"]["size"]
        for model in result.models
    }
    rows = []
    for row in published()["flops"]["rows"]:
        model = measured.get((row["model"], row["decoder_channels"]))
        rows.append(
            (
                row["model"],
                _millions(None if model is None else model.all_parameters),
                _millions(row["parameters"]),
                optional(None if model is None else model.published_flops / 1e9, ".2f"),
                f"{row['flops'] / 1e9:.2f}",
            )
        )
    header = ("network", "parameters", "published", "GFLOPs at 400×400", "published")
    return PaperTable(4, "Parameters and FLOPs", header, tuple(rows), _source("paper"))


def _source(name: str) -> str:
    return f"Published: {published()['sources'][name]}."


def _millions(value: float | None) -> str:
    return UNMEASURED if value is None else f"{value / 1e6:.2f} M"


def as_markdown(tables: Sequence[PaperTable]) -> str:
    """All tables as one Markdown text."""
    parts = ["# The paper's tables, measured again\n"]
    for table in tables:
        text = markdown_table(
            [*map(_escape, table.header)], [[*map(_escape, row)] for row in table.rows]
        )
        parts.append(f"## Table {table.number}: {table.title}\n\n{text}\n{table.note}\n")
    return "\n".join(parts)


def _escape(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
