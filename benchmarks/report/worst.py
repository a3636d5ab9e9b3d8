"""The objects that took the most clicks, with pictures if the benchmark is given."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ritm_edge.data import Benchmark
from ritm_edge.evaluation.loop import begin_session
from ritm_edge.evaluation.metrics import clicks_to_reach
from ritm_edge.imaging.overlay import overlay
from ritm_edge.methods.base import CLASSICAL
from ritm_edge.runtimes.base import Runtime
from ritm_edge.tables import optional

from ..results import NocRun, NocSettings, ObjectResult, by_benchmark

TARGET = 0.9
CASES = 6
PICTURE_SIDE = 480
JPEG_QUALITY = 82
SPARK_WIDTH, SPARK_HEIGHT = 120, 30
TRUE_OUTLINE = (255, 214, 10)


@dataclass(frozen=True)
class Case:
    """One object.

    Attributes:
        clicks: to IoU 0.90; None if it was never reached.
        most: clicks that were made.
        best, last: IoU, as text.
        spark: IoU after each click as SVG points of a drawing `SPARK_WIDTH` × `SPARK_HEIGHT`.
        others: (file, clicks as text) of the other files on the same object.
        picture: data URI.
    """

    name: str
    clicks: int | None
    most: int
    best: str
    last: str
    spark: str
    others: tuple[tuple[str, str], ...]
    picture: str | None
    caption: str


def worst_cases(
    runs: Sequence[NocRun], benchmarks: Mapping[str, Benchmark], runtime: Runtime | None
) -> list[tuple[str, str, tuple[Case, ...]]]:
    """Benchmark, file and worst objects of the first file on each benchmark. `benchmarks` are those
    whose photos are given, by name; `runtime` replays the clicks to show the mask, and None shows
    the true object. Raises InputFileError: a photo or mask that cannot be read; UsageError: clicks
    that do not fit the photo, as of another copy of the benchmark."""
    found = []
    for name, same in by_benchmark(runs).items():
        ranked = sorted(same[0].per_object, key=_badness, reverse=True)[:CASES]
        cases = tuple(_case(each, same, benchmarks.get(name), runtime) for each in ranked)
        found.append((name, same[0].file, cases))
    return found


def _badness(each: ObjectResult) -> tuple[float, float]:
    reached = clicks_to_reach(each.known, TARGET)
    best = max((iou for iou in each.ious if iou is not None), default=0.0)
    return (float("inf") if reached is None else float(reached)), -best


def _case(
    each: ObjectResult, runs: Sequence[NocRun], benchmark: Benchmark | None, runtime: Runtime | None
) -> Case:
    known = [iou for iou in each.ious if iou is not None]
    others = tuple(
        (run.file, _words(clicks_to_reach(other.known, TARGET), len(other.ious)))
        for run in runs[1:]
        for other in run.per_object
        if other.name == each.name
    )
    picture, caption = None, ""
    if benchmark is not None:
        picture, caption = _picture(each, runs[0].settings, benchmark, runtime)
    return Case(
        each.name,
        clicks_to_reach(each.known, TARGET),
        len(each.ious),
        optional(max(known, default=None), ".3f"),
        optional(each.ious[-1], ".3f"),
        _spark(each.ious),
        others,
        picture,
        caption,
    )


def _words(reached: int | None, made: int) -> str:
    return f"not in {made}" if reached is None else str(reached)


def _spark(ious: Sequence[float | None]) -> str:
    width = SPARK_WIDTH / max(1, len(ious) - 1)
    points = [
        f"{round(index * width, 1)},{round((1 - iou) * SPARK_HEIGHT, 1)}"
        for index, iou in enumerate(ious)
        if iou is not None
    ]
    return " ".join(points)


def _picture(
    each: ObjectResult, settings: NocSettings, benchmark: Benchmark, runtime: Runtime | None
) -> tuple[str | None, str]:
    sample = next((s for s in benchmark.samples if s.name == each.name), None)
    if sample is None:
        return None, ""
    image, truth = sample.load()
    if runtime is None or settings.method in CLASSICAL:
        picture, caption = overlay(image, truth == 1), "the true object"
    else:
        session = begin_session(runtime, settings.for_evaluation(), image, truth, name=each.name)
        for row, column, positive in each.clicks:
            session.click(float(row), float(column), positive=bool(positive))
        picture = overlay(image, session.mask, session.clicks)
        caption = f"the mask after {len(each.clicks)} clicks; yellow: the true outline"
        outlines, _ = cv2.findContours(
            (truth == 1).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )
        line = max(1, round(max(image.shape) / 400))
        cv2.drawContours(picture, outlines, -1, TRUE_OUTLINE, line, cv2.LINE_AA)
    return _data_uri(picture), caption


def _data_uri(picture: NDArray[np.uint8]) -> str:
    scale = min(1.0, PICTURE_SIDE / max(picture.shape[:2]))
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert ok  # JPEG takes any RGB array
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
