"""What showing crops to a graph of fixed size costs, click by click in published sessions.

A session with the published zoom-in (crops of any shape) is the reference. At chosen clicks of it,
the same photo, clicks and previous mask are shown through each alternative, and the IoU of the
answer is compared with the reference's. One difference per click, not per session, tells
alternatives apart with far fewer objects than their numbers of clicks do: sessions diverge by
chance after the first pixel that differs.

    kind              "ritm-edge fit"
    format_version    1
    file, sha256, benchmark, objects, clicks (after which it was compared), settings
    reference         {"whole", "zoomed", "all"} → mean IoU of the reference
    alternatives      list of {name, fit, sizes, agreement (mean IoU of the two masks),
                      difference: {"whole", "zoomed", "all"} → mean over objects of the IoU
                      minus the reference's: {mean, interval (95 %, over objects), steps}}
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.clicks import Click
from ritm_edge.data import Benchmark
from ritm_edge.errors import UsageError
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.evaluation.metrics import iou, mask_iou
from ritm_edge.runtimes.base import Runtime
from ritm_edge.session.fit import Fit, fitted_view
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.session.predictor import predict
from ritm_edge.session.view import paste
from ritm_edge.session.zoom_in import Roi, Size, ZoomIn, whole_image

from .bootstrap import mean_interval
from .machine import describe_machine, describe_versions

KIND = "ritm-edge fit"
FORMAT_VERSION = 1
CLICKS = (1, 2, 3, 5, 8, 12, 16, 20)
GROUPS = ("whole", "zoomed", "all")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Alternative:
    """One way to show crops: `fit` of `ritm_edge.session.fit`, and the `sizes` (H, W) of the graphs
    in one artifact, of which the one nearest in shape is taken."""

    name: str
    fit: Fit
    sizes: tuple[Size, ...]

    def size_for(self, crop: Roi) -> Size:
        """The size whose aspect ratio is nearest to that of the crop."""
        rows, columns = crop.size
        return min(self.sizes, key=lambda size: abs(log(size[0] / size[1] * columns / rows)))


_SQUARE: tuple[Size, ...] = ((400, 400),)
# 2:3 is the shape of most benchmark photos, 4:9 that of the narrowest fifth of their crops.
_THREE = (*_SQUARE, (272, 400), (400, 272))
_FIVE = (*_THREE, (176, 400), (400, 176))
ALTERNATIVES = (
    Alternative("context, one square", "context", _SQUARE),
    Alternative("letterbox, one square", "letterbox", _SQUARE),
    Alternative("stretch, one square", "stretch", _SQUARE),
    Alternative("context, three shapes", "context", _THREE),
    Alternative("stretch, three shapes", "stretch", _THREE),
    Alternative("stretch, five shapes", "stretch", _FIVE),
)


@dataclass(frozen=True)
class _Step:
    """One click of a reference session: what the network was given, and what came out."""

    clicks: tuple[Click, ...]
    previous: NDArray[np.float32]
    seen: Roi
    mask: NDArray[np.bool_]
    iou: float


class _Recorder:
    """Collects the steps of a session that are to be repeated."""

    def __init__(self, size: Size, wanted: Sequence[int], zoom_in: ZoomIn) -> None:
        self.steps: list[_Step] = []
        self._size, self._wanted, self._zoom_in = size, set(wanted), zoom_in
        self._previous = np.zeros(size, np.float32)

    def observe(self, session: InteractiveSession, value: float) -> None:
        """See `evaluation.Observer`."""
        roi, clicks = session.zoom_roi, session.clicks
        zoomed = (
            roi is not None
            and len(clicks) > self._zoom_in.skip_clicks
            # Published: with an empty mask the whole image is looked at, whatever is stored.
            and bool((self._previous > np.float32(self._zoom_in.threshold)).any())
        )
        if len(clicks) in self._wanted:
            seen = Roi(*roi) if zoomed and roi is not None else whole_image(self._size)
            self.steps.append(_Step(clicks, self._previous, seen, session.mask, value))
        self._previous = session.probabilities


@dataclass(frozen=True)
class _Compared:
    """One step through every alternative: IoU with the truth, and with the reference's mask."""

    group: str
    reference: float
    ious: tuple[float, ...]
    agreements: tuple[float, ...]


def compare_fits(
    runtime: Runtime,
    benchmark: Benchmark,
    *,
    clicks: Sequence[int] = CLICKS,
    flip: bool = False,
    limit: int | None = None,
    alternatives: Sequence[Alternative] = ALTERNATIVES,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Measure every alternative on a runtime that takes any size, after each of `clicks` (from 1);
    the result is described at the top of the module. `flip` averages with the mirror image, in the
    reference too; `limit` takes only the first objects. Raises UsageError: a graph of fixed size;
    InputFileError: a photo or mask that cannot be read."""
    if runtime.spec.size is not None:
        raise UsageError(
            f"{runtime.label} takes one size only: pass a checkpoint or an .onnx of --dynamic."
        )
    zoom_in = ZoomIn(benchmark.zoom_target)
    settings = EvaluationSettings(
        max_clicks=max(clicks), target_iou=0.9, zoom_in=zoom_in, flip=flip
    )
    samples = benchmark.samples[:limit]
    objects: list[list[_Compared]] = []
    for done, sample in enumerate(samples, start=1):
        image, truth = sample.load()
        recorder = _Recorder((image.shape[0], image.shape[1]), clicks, zoom_in)
        evaluate_sample(runtime, sample, settings, observe=recorder.observe)
        objects.append(
            [
                _compare(runtime, image, truth, step, settings, alternatives)
                for step in recorder.steps
            ]
        )
        progress(done, len(samples))
    every = [step for steps in objects for step in steps]
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "file": Path(runtime.label).name,
        "sha256": runtime.sha256,
        "benchmark": benchmark.name,
        "objects": len(samples),
        "clicks": list(clicks),
        "settings": asdict(settings),
        "reference": {
            group: _mean([s.reference for s in every if group in (s.group, "all")])
            for group in GROUPS
        },
        "alternatives": [
            {
                **asdict(alternative),
                "agreement": _mean([step.agreements[index] for step in every]),
                "difference": {group: _difference(objects, index, group) for group in GROUPS},
            }
            for index, alternative in enumerate(alternatives)
        ],
    }


def _compare(
    runtime: Runtime,
    image: NDArray[np.uint8],
    truth: NDArray[np.int32],
    step: _Step,
    settings: EvaluationSettings,
    alternatives: Sequence[Alternative],
) -> _Compared:
    size = (image.shape[0], image.shape[1])
    ious, agreements = [], []
    for alternative in alternatives:
        view = fitted_view(step.seen, size, alternative.size_for(step.seen), alternative.fit)
        output = predict(
            runtime,
            view.cut(image),
            view.cut(step.previous),
            [view.click(click) for click in step.clicks],
            flip=settings.flip,
        )
        mask = paste(view.uncover(output), view.roi, size) > np.float32(settings.threshold)
        ious.append(iou(truth, mask))
        agreements.append(mask_iou(mask, step.mask))
    group = "whole" if step.seen == whole_image(size) else "zoomed"
    return _Compared(group, step.iou, tuple(ious), tuple(agreements))


def _difference(
    objects: Sequence[Sequence[_Compared]], index: int, group: str
) -> dict[str, Any] | None:
    """Mean over the steps; the interval resamples objects, whose steps resemble each other."""
    per_object = [
        [s.ious[index] - s.reference for s in steps if group in (s.group, "all")]
        for steps in objects
    ]
    means = [float(np.mean(steps)) for steps in per_object if steps]
    if not means:
        return None
    return {
        "mean": float(np.mean(means)),
        "interval": list(mean_interval(means)),
        "steps": sum(map(len, per_object)),
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
