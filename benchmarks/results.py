"""Reads and checks results files of the bench commands, which may come from anybody.

Only what the readers here declare is taken over; a file with anything missing or of another type
is refused as a whole, so that no page or table has to guess.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import Field, ValidationError

from ritm_edge.devices import HERE
from ritm_edge.errors import InputFileError
from ritm_edge.evaluation.loop import EvaluationSettings
from ritm_edge.files import read_file
from ritm_edge.session.fit import DEFAULT_FIT, check_fit
from ritm_edge.session.zoom_in import ZoomIn
from ritm_edge.untrusted_json import parse_json
from ritm_edge.verification.accelerators import KIND as ACCELERATORS_KIND

from .device_results import AcceleratorResults, BrowserCheck
from .result_values import Count, Measured, Pair, Share, Side, Time, Values

MAX_BYTES = 1 << 26  # ten files on 7,000 objects have half of it
KINDS = "bench noc, bench latency, bench flops, bench fit, verify --json or a browser's self-check"


class FitDifference(Values):
    mean: float
    interval: Pair


class Difference(FitDifference):
    """Against the first file on the same benchmark."""

    to: str


class Noc(Values):
    """One threshold; see `noc.report`."""

    name: str
    iou: float
    max_clicks: Annotated[int, Field(ge=1)]
    mean: float
    interval: Pair
    at_limit_published: Count
    never_reached: Count
    difference: Difference | None = None


class ZoomInSettings(Values):
    """As `ritm_edge.session.zoom_in.ZoomIn`."""

    target_size: Side | list[Side]
    skip_clicks: int
    expansion: float
    min_crop: int
    recompute_iou: float
    threshold: float


class NocSettings(Values):
    """As `ritm_edge.evaluation.loop.EvaluationSettings`."""

    max_clicks: Annotated[int, Field(ge=1, le=10_000)]
    min_clicks: Count = 1
    target_iou: float
    flip: bool
    threshold: float
    zoom_in: ZoomInSettings | None
    fit: str | None = None
    start_iou: Annotated[float, Field(gt=0, lt=1)] | None = None
    click_limit: Annotated[int, Field(ge=1)] | None = None
    protocol: Literal["published", "app", "graphs"] = "published"
    method: str | None = None
    user: str | None = None
    user_seed: Count = 0
    threads: Count | None = None
    jobs: Count = 1

    def for_evaluation(self) -> EvaluationSettings:
        """The settings that were used. Raises UsageError: values that nobody can have used."""
        values = self.model_dump(exclude={"threads", "jobs"})
        if self.zoom_in is not None:
            size = self.zoom_in.target_size
            values["zoom_in"]["target_size"] = (
                size if isinstance(size, int) else (size[0], size[-1])
            )
            values["zoom_in"] = ZoomIn(**values["zoom_in"])
        return EvaluationSettings(**{**values, "fit": check_fit(self.fit or DEFAULT_FIT)})


class ObjectResult(Values):
    """One object: IoU after each click (None without any), and (row, column, positive)."""

    name: str
    ious: list[Share | None] = Field(min_length=1)
    clicks: list[Annotated[list[float | bool], Field(min_length=3, max_length=3)]]
    seconds: Time = 0.0
    peak_memory_bytes: Count | None = None

    @property
    def known(self) -> list[float]:
        """The IoUs with NaN for None."""
        return [math.nan if iou is None else iou for iou in self.ious]


class Device(Values):
    """What ran a file that did not run here; see `RemoteRuntime.figures`."""

    place: str
    device: str
    engine: str | None
    threads: Count | None
    fallback: str | None
    inference_ms: Time | None
    wire_ms: Time | None


class NocRun(Values):
    """One file on one benchmark; see `noc.report`."""

    benchmark: str
    objects: Count
    objects_in_benchmark: Count
    file: str
    runtime: str
    engine: str | None
    model: str | None
    precision: str
    size: list[Side] | None
    sha256: str
    checkpoint_sha256: str | None = None
    shard: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    settings: NocSettings
    noc: list[Noc] = Field(min_length=1)
    seconds_per_click: Time
    peak_memory_bytes: Count | None = None
    device: Device | None = None
    per_object: list[ObjectResult]


class NocResults(Measured):
    kind: Literal["ritm-edge noc"]
    reports: list[NocRun] = Field(min_length=1)


class Parity(Values):
    """What the export measured against PyTorch."""

    atol: float
    cases: Count
    max_abs: float
    mean_abs: float
    min_mask_iou: float
    passed: bool


class LatencyRow(Values):
    """One file; see `latency.LatencyRow`."""

    path: str
    runtime: str
    engine: str | None
    baseline: bool
    median_ms: Time
    p90_ms: Time
    ratio_to_pytorch: float | None
    cold_start_ms: Time
    peak_memory_bytes: Count | None
    file_bytes: Count
    is_device_time: bool
    parity: Parity | None
    sha256: str | None = None
    samples_ms: list[Time] = Field(default_factory=list)
    ratios: list[Time] | None = None
    place: str = HERE
    threads: Count | None = None
    fallback: str | None = None
    wire_ms: Time | None = None


class LatencySettings(Values):
    runs: Count
    threads: Count | None


class LatencyResults(Measured):
    size: list[Side] = Field(min_length=2, max_length=2)
    settings: LatencySettings
    rows: list[LatencyRow] = Field(min_length=1)


class LayerWork(Values):
    layers: Count
    macs: Count
    flops: Count


class FlopsModel(Values):
    """One network; see `flops.report`."""

    model: str
    decoder_channels: Count | None
    all_parameters: Count
    published_flops: Count
    paper_flops: float | None
    flops: Count
    kinds: dict[str, LayerWork]


class FlopsArtifact(Values):
    """One exported graph; see `flops.report`."""

    file: str
    runtime: str
    signature: str | None
    file_bytes: Count | None = None
    parameters: Count
    macs: Count
    flops: Count
    kinds: dict[str, LayerWork]


class FlopsResults(Measured):
    kind: Literal["ritm-edge flops"]
    size: list[Side] = Field(min_length=2, max_length=2)
    models: list[FlopsModel]
    artifacts: list[FlopsArtifact]


class FitAlternative(Values):
    """One way to show a crop to a graph of fixed size; see `fit`."""

    name: str
    agreement: float
    difference: dict[str, FitDifference | None]


class FitResults(Measured):
    kind: Literal["ritm-edge fit"]
    file: str
    benchmark: str
    objects: Count
    alternatives: list[FitAlternative]


class ParityResults(Parity, Measured):
    """What `verify --json` prints."""

    artifact: str


class _OfBenchmark(Protocol):
    @property
    def benchmark(self) -> str: ...


Item = TypeVar("Item", bound=_OfBenchmark)


def by_benchmark(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Runs, or what was made of them, by the name of their benchmark, in order."""
    found: dict[str, list[Item]] = {}
    for each in items:
        found.setdefault(each.benchmark, []).append(each)
    return found


Results = (
    NocResults
    | LatencyResults
    | FlopsResults
    | FitResults
    | ParityResults
    | BrowserCheck
    | AcceleratorResults
)


def noc_runs(results: Iterable[Results]) -> list[NocRun]:
    """What `bench noc` measured, in order."""
    return [run for each in results if isinstance(each, NocResults) for run in each.reports]


def read_results(path: Path) -> Results:
    """Read one results file. Raises InputFileError: missing, no JSON, of another kind, or with
    values of another type."""
    data = read_file(path, most=MAX_BYTES)
    try:
        values = parse_json(data, most=MAX_BYTES)
    except ValueError as error:
        raise InputFileError(
            f"{path} is not JSON ({str(error)[:80]}): pass what {KINDS} saved."
        ) from error
    try:
        return _kind_of(values, path).model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputFileError(
            f"{path} does not hold what its kind should ({place[:120]}: {first['msg'][:120]}): "
            "measure again."
        ) from error


def _kind_of(values: Any, path: Path) -> type[Results]:
    if isinstance(values, dict):
        kinds: dict[Any, type[Results]] = {
            "ritm-edge noc": NocResults,
            "ritm-edge flops": FlopsResults,
            "ritm-edge fit": FitResults,
            "ritm-edge browser check": BrowserCheck,
            ACCELERATORS_KIND: AcceleratorResults,
        }
        kind = values.get("kind")
        if isinstance(kind, str) and kind in kinds:
            return kinds[kind]
        if kind is None and "rows" in values:
            return LatencyResults
        if kind is None and "artifact" in values and "cases" in values:
            return ParityResults
    raise InputFileError(f"{path} is not a results file: pass what {KINDS} saved.")
