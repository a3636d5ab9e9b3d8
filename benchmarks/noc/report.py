"""The results of `bench noc`, and their JSON form.

A results file is one object:

    kind              "ritm-edge noc"
    format_version    1
    machine, versions where it was measured
    reports           one per benchmark and file, in the order of the command line:

      benchmark, objects, objects_in_benchmark
      shard           [I, N], only of `--shard I/N`; `bench merge` puts them together
      file, runtime, engine, model, precision, size ([H, W] or null), sha256, checkpoint_sha256
      settings        every setting of the protocol (`EvaluationSettings`), threads and jobs
      noc             list of
                        name        "NoC20@90"
                        iou         0.9
                        max_clicks  20
                        mean        published NoC
                        interval    [low, high], 95 % bootstrap over the objects
                        at_limit_published  objects counted with max_clicks: the published
                                    "≥20" column, which includes those solved at the last click
                        never_reached  the strict count
                        difference  null, or against the first file on the same benchmark:
                                    {to, mean, interval (paired)}
      mean_iou        list; entry k−1 is the mean IoU after k clicks, null unless every object
                      got k clicks (`--all-clicks` makes it complete)
      share_of_drops  share of clicks after which the IoU is lower than before by more than 0.02
      seconds_per_click, peak_memory_bytes (null if unknown)
      device          null, or what ran the network: {place, device, engine, threads, fallback,
                      runs, inference_ms (median, by its clock), wire_ms (median of the way
                      there and back)}
      per_object      list of {name, ious (null without any object or prediction),
                      clicks [[row, column, is_positive]…], seconds, peak_memory_bytes}
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge import untrusted_json as untrusted
from ritm_edge.clicks import Click
from ritm_edge.evaluation.loop import EvaluationSettings, SampleResult
from ritm_edge.evaluation.metrics import NocSummary, mean_iou_at, noc_thresholds, summarize_noc
from ritm_edge.runtimes.base import Runtime, precision_of

from ..bootstrap import mean_interval
from ..machine import describe_machine, describe_versions

KIND = "ritm-edge noc"
FORMAT_VERSION = 1
PUBLISHED_CLICKS = 20
Shard = tuple[int, int]
DROP = 0.02  # a click that costs more IoU than this is counted as harmful


def _is_click(value: Any) -> bool:
    place = untrusted.list_of(untrusted.MEASURE, "")[1]
    triple = isinstance(value, list) and len(value) == 3
    return triple and place(value[:2]) and untrusted.FLAG[1](value[2])


# See `untrusted_json`.
_OBJECT = {
    "name": ("a text", lambda value: isinstance(value, str)),
    "ious": untrusted.list_of(
        ("", lambda value: value is None or (untrusted.MEASURE[1](value) and value <= 1)),
        "a list of numbers from 0 to 1, or null",
    ),
    "clicks": untrusted.list_of(("", _is_click), "a list of [row, column, true or false]"),
    "seconds": untrusted.MEASURE,
    "peak_memory_bytes?": untrusted.COUNT,
}


def describe_subject(runtime: Runtime, label: str | None = None) -> dict[str, Any]:
    """Facts about an opened file, as the module describes; it is called `label`, or by its name."""
    info = runtime.info
    config = getattr(getattr(runtime, "model", None), "config", None)
    return {
        "file": label or Path(runtime.label).name,
        "runtime": runtime.name,
        "engine": runtime.engine,
        "model": getattr(config, "name", None) if info is None else info.model.get("name"),
        "precision": precision_of(runtime),
        "size": runtime.spec.size,
        "sha256": runtime.sha256,
        "checkpoint_sha256": runtime.sha256 if info is None else info.checkpoint_sha256,
    }


@dataclass(frozen=True)
class NocReport:
    """One file on one benchmark.

    Attributes:
        benchmark_size: objects it has, of which `results` may be the first few.
        subject: from `describe_subject`.
        threads: CPU threads of each process; None where the runtime chose.
        results: per object, in the order of the benchmark.
        shard: (I, N) if these are every N-th object from the I-th, counted from 1.
        device: `RemoteRuntime.figures`; None where the file ran here.
    """

    benchmark: str
    benchmark_size: int
    subject: Mapping[str, Any]
    settings: EvaluationSettings
    threads: int | None
    jobs: int
    results: Sequence[SampleResult]
    shard: Shard | None = None
    device: Mapping[str, Any] | None = None

    @property
    def noc(self) -> list[NocSummary]:
        """One summary for each of `targets`."""
        ious = [result.ious for result in self.results]
        return [
            summarize_noc([i[:limit] for i in ious], target, max_clicks=limit)
            for target, limit in targets(self.settings)
        ]

    def mean_iou(self, clicks: int) -> float | None:
        """Mean IoU after this many clicks; None unless every object got them."""
        if any(len(result.ious) < clicks for result in self.results):
            return None
        mean = mean_iou_at([result.ious for result in self.results], clicks)
        return None if np.isnan(mean) else mean

    @property
    def share_of_drops(self) -> float | None:
        """Share of the clicks with one before them that lower the IoU by more than `DROP`."""
        steps = np.concatenate([np.diff(result.ious) for result in self.results])
        return float(np.mean(steps < -DROP)) if steps.size else None

    @property
    def seconds_per_click(self) -> float:
        """Decoding, click search and IoU included, as published."""
        total = sum(result.seconds for result in self.results)
        return total / sum(len(result.ious) for result in self.results)

    @property
    def peak_memory_bytes(self) -> int | None:
        """Of the process that needed most for an object, its libraries included."""
        return max((each.peak_memory_bytes or 0 for each in self.results), default=0) or None

    def as_dict(self, first: "NocReport | None" = None) -> dict[str, Any]:
        """Plain values as the module describes; `first` is what differences are taken to."""
        return {
            "benchmark": self.benchmark,
            "objects": len(self.results),
            "objects_in_benchmark": self.benchmark_size,
            **({} if self.shard is None else {"shard": list(self.shard)}),
            **self.subject,
            "settings": {**asdict(self.settings), "threads": self.threads, "jobs": self.jobs},
            "noc": [_noc_entry(summary, first) for summary in self.noc],
            "mean_iou": [self.mean_iou(k) for k in range(1, self.settings.max_clicks + 1)],
            "share_of_drops": self.share_of_drops,
            "seconds_per_click": self.seconds_per_click,
            "peak_memory_bytes": self.peak_memory_bytes,
            "device": self.device,
            "per_object": [object_as_dict(result) for result in self.results],
        }


def targets(settings: EvaluationSettings) -> list[tuple[float, int]]:
    """(IoU, greatest number of clicks) of each NoC that is reported: NoC20@80, @85, @90; beyond 20
    clicks also that at the full number for 0.90."""
    most = settings.max_clicks
    thresholds = noc_thresholds(settings.target_iou)
    pairs = [(iou, min(most, PUBLISHED_CLICKS)) for iou in thresholds]
    if most > PUBLISHED_CLICKS:
        pairs.append((max(iou for iou in thresholds if iou < 0.901), most))
    return pairs


def noc_name(target_iou: float, max_clicks: int) -> str:
    """ "NoC20@90"."""
    return f"NoC{max_clicks}@{round(100 * target_iou)}"


def _noc_entry(summary: NocSummary, first: NocReport | None) -> dict[str, Any]:
    return {
        "name": noc_name(summary.target_iou, summary.max_clicks),
        "iou": round(summary.target_iou, 6),
        "max_clicks": summary.max_clicks,
        "mean": summary.mean,
        "interval": list(mean_interval(summary.per_sample)),
        "at_limit_published": summary.at_limit,
        "never_reached": summary.failed,
        "difference": None if first is None else _difference(summary, first),
    }


def _difference(summary: NocSummary, first: NocReport) -> dict[str, Any] | None:
    for other in first.noc:
        same = (other.target_iou, other.max_clicks) == (summary.target_iou, summary.max_clicks)
        if same and len(other.per_sample) == len(summary.per_sample):
            steps = np.subtract(summary.per_sample, other.per_sample)
            return {
                "to": first.subject["file"],
                "mean": float(steps.mean()),
                "interval": list(mean_interval(steps)),
            }
    return None


def object_as_dict(result: SampleResult) -> dict[str, Any]:
    """Plain values of one object; the IoUs are the shortest texts that give the float32 back."""
    return {
        "name": result.name,
        "ious": [None if np.isnan(iou) else float(str(iou)) for iou in result.ious],
        "clicks": [[c.row, c.column, c.positive] for c in result.clicks],
        "seconds": round(result.seconds, 4),
        "peak_memory_bytes": result.peak_memory_bytes,
    }


def object_from_dict(values: dict[str, Any]) -> SampleResult:
    """The inverse of `object_as_dict`. Raises ValueError: values of another kind."""
    untrusted.require_kinds(values, _OBJECT, "an object")
    clicks = tuple(
        Click(float(row), float(column), positive=positive, order=order)
        for order, (row, column, positive) in enumerate(values["clicks"])
    )
    ious = np.array([np.nan if i is None else i for i in values["ious"]], np.float32)
    if len(ious) != len(clicks) or not clicks:
        raise ValueError("as many clicks as IoUs, at least one")
    peak = values.get("peak_memory_bytes")
    return SampleResult(values["name"], clicks, ious, float(values["seconds"]), peak)


def as_document(reports: Sequence[NocReport]) -> dict[str, Any]:
    """Everything a command measured, as the module describes."""
    firsts: dict[str, NocReport] = {}
    entries = []
    for report in reports:
        first = firsts.setdefault(report.benchmark, report)
        entries.append(report.as_dict(None if first is report else first))
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "reports": entries,
    }


def as_text(document: dict[str, Any]) -> str:
    """JSON with one line per object, so that two files can be compared line by line."""
    reports: list[dict[str, Any]] = []
    lines: list[tuple[str, str]] = []
    for report in document["reports"]:
        place = f"<objects {len(lines)}>"
        objects = [json.dumps(each, ensure_ascii=False) for each in report["per_object"]]
        lines.append((json.dumps(place), "[\n" + ",\n".join(objects) + "\n]"))
        reports.append({**report, "per_object": place})
    text = json.dumps({**document, "reports": reports}, indent=1, ensure_ascii=False)
    for place, objects_text in lines:
        text = text.replace(place, objects_text)
    return text + "\n"
