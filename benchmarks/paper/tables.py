"""The paper's Tables 1 to 7: measured values next to the published ones.

A measured file stands in a row when its label is the row's name: that of a published checkpoint
("coco_lvis_h18s_itermask.pth") or of a training recipe ("ablation-loss-bce"), with any suffix.
Table 7 also lists every other file that was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ritm_edge.tables import UNMEASURED, markdown_table, optional

from ..published import published
from ..results import FlopsResults, NocRun, Results, noc_runs

RUNTIME_ORDER = ("pytorch", "onnx", "tflite", "coreml")
NO_FIGURES = "Measured; the published figures of this table are not in the data file."
DEFAULT_COLUMNS = (
    ("GrabCut", "NoC20@85"),
    ("GrabCut", "NoC20@90"),
    ("Berkeley", "NoC20@90"),
    ("SBD", "NoC20@85"),
    ("SBD", "NoC20@90"),
    ("DAVIS", "NoC20@85"),
    ("DAVIS", "NoC20@90"),
    ("PascalVOC", "NoC20@85"),
    ("COCO_MVal", "NoC20@90"),
)


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
        return all(cell == UNMEASURED for row in self.rows for cell in row[2:])

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
    tables = [_ablation(each, runs) for each in published()["ablations"]]
    tables += [_table_4(results), _table_7(runs)]
    return sorted(tables, key=lambda table: table.number)


class _Runs:
    """Measured files by normalised label and benchmark."""

    def __init__(self, results: Sequence[Results], rows: Mapping[str, str]) -> None:
        self.by_label: dict[str, list[NocRun]] = {}
        for run in noc_runs(results):
            self.by_label.setdefault(run.file, []).append(run)
        self.rows = {row_name(name): label for name, label in rows.items()}

    def label_of(self, row: str) -> str | None:
        """Of the file that belongs in a row; of several runtimes the first in `RUNTIME_ORDER`."""
        if row in self.rows:
            return self.rows[row] if self.rows[row] in self.by_label else None
        labels = [label for label in self.by_label if row_name(label) == row]
        return min(labels, key=self._rank, default=None)

    def _rank(self, label: str) -> tuple[int, str]:
        runtime = self.by_label[label][0].runtime
        order = RUNTIME_ORDER.index(runtime) if runtime in RUNTIME_ORDER else len(RUNTIME_ORDER)
        return order, label

    def measured(self, label: str | None, benchmark: str, noc: str) -> float | None:
        for run in self.by_label.get(label or "", []):
            if run.benchmark == benchmark and run.objects == run.objects_in_benchmark:
                for entry in run.noc:
                    if entry.name == noc:
                        return entry.mean
        return None


def row_name(label: str) -> str:
    """ "Ablation-Loss-BCE-dynamic.onnx" → "ablation_loss_bce"."""
    name = label.rsplit("/", 1)[-1]
    for suffix in (".pth", ".safetensors", ".onnx", ".tflite", ".mlpackage"):
        name = name.removesuffix(suffix)
    name = name.removesuffix("-dynamic")
    return name.lower().replace("-", "_")


def _ablation(table: dict[str, Any], runs: _Runs) -> PaperTable:
    rows = []
    for row in table["rows"]:
        label = runs.label_of(row["recipe"])
        cells = [optional(runs.measured(label, *column), ".2f") for column in DEFAULT_COLUMNS]
        rows.append((row["name"], row["recipe"], *cells))
    header = ("row", "recipe or label", *(f"{b} {n}" for b, n in DEFAULT_COLUMNS))
    return PaperTable(table["table"], table["title"], header, tuple(rows), NO_FIGURES)


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
    return PaperTable(4, "Parameters and FLOPs", header, tuple(rows), _source("flops"))


def _table_7(runs: _Runs) -> PaperTable:
    noc = published()["noc"]
    columns = [tuple(column.split(" ")) for column in noc["columns"]]
    rows = []
    used = set()
    for row in noc["rows"]:
        label = runs.label_of(row["checkpoint"])
        used.add(label)
        cells = [
            f"{optional(runs.measured(label, *column), '.2f')} / {value:.2f}"
            for column, value in zip(columns, row["values"], strict=True)
        ]
        rows.append((row["checkpoint"], row["training"], *cells))
    for label in runs.by_label:
        if label not in used:
            cells = [
                f"{optional(runs.measured(label, *column), '.2f')} / {UNMEASURED}"
                for column in columns
            ]
            rows.append((label, UNMEASURED, *cells))
    header = ("model", "trained on", *noc["columns"])
    note = f"Measured / published. {_source('noc')}"
    return PaperTable(7, "Comparison on all benchmarks", header, tuple(rows), note)


def _source(part: str) -> str:
    values = published()
    return f"Published: {values['sources'][values[part]['source']]}."


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
    return "\n".join([*parts, f"{published()['ablations_note']}\n"])


def _escape(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
