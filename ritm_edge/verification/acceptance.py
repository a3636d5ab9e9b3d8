"""Does an artifact of lower precision segment as well? Masks click by click, and click counts."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.base import Benchmark, Sample
from ..errors import ParityError
from ..evaluation.loop import EvaluationSettings, evaluate_sample
from ..evaluation.metrics import mask_iou, summarize_noc
from ..runtimes.base import Runtime
from ..runtimes.narrowed import NarrowedRuntime
from ..session.interactive import InteractiveSession
from ..session.zoom_in import ZoomIn

CLICKS = (1, 3, 5)  # as far as the graph has slots
NOC_IOU = 0.90
NOC_CLICKS = 20

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TaskTolerance:
    """How much worse than float32 an artifact may be at the task.

    Attributes:
        max_noc_increase: additional clicks to IoU 0.90, mean over a benchmark (NoC20@90).
        min_mask_iou: mean IoU with the float32 masks after 1, 3 and 5 clicks; it decides if
            no benchmark is given.
        reason: where the numbers come from.
    """

    max_noc_increase: float
    min_mask_iou: float
    reason: str


@dataclass(frozen=True)
class NocDifference:
    """NoC@90 of a benchmark, of float32 and of the artifact; `max_clicks` is 20 or the slots."""

    benchmark: str
    samples: int
    reference: float
    artifact: float
    max_clicks: int = NOC_CLICKS

    @property
    def increase(self) -> float:
        return self.artifact - self.reference


@dataclass(frozen=True)
class TaskReport:
    """What acceptance measured.

    Attributes:
        artifact: name of its file.
        objects: how many were clicked on.
        mask_iou: number of clicks → mean IoU with the float32 mask after them; fewer clicks than
            usual if the graph has fewer slots.
        lowest_iou: of one object after any of these numbers of clicks.
        noc: on a benchmark; None if none was given.
    """

    artifact: str
    tolerance: TaskTolerance
    objects: int
    mask_iou: dict[int, float]
    lowest_iou: float
    noc: NocDifference | None = None

    @property
    def mean_iou(self) -> float:
        return float(np.mean(list(self.mask_iou.values())))

    @property
    def passed(self) -> bool:
        if self.noc is not None:
            return self.noc.increase <= self.tolerance.max_noc_increase
        # NaN compares as False and therefore fails.
        return self.mean_iou >= self.tolerance.min_mask_iou

    def summary(self) -> dict[str, Any]:
        """Plain values for the artifact's metadata."""
        return {
            "passed": self.passed,
            "objects": self.objects,
            "mask_iou_after_clicks": {str(n): value for n, value in self.mask_iou.items()},
            "lowest_mask_iou": self.lowest_iou,
            "noc": None
            if self.noc is None
            else {**asdict(self.noc), "increase": self.noc.increase},
        }

    def as_dict(self) -> dict[str, Any]:
        return {**self.summary(), "artifact": self.artifact, "tolerance": asdict(self.tolerance)}

    def require_passed(self) -> None:
        """Raise unless the artifact is good enough: ParityError, which names what was measured and
        the limit."""
        if self.passed:
            return
        if self.noc is not None:
            what = (
                f"{self.noc.increase:+.2f} clicks to IoU 0.90 on {self.noc.benchmark} "
                f"({self.noc.artifact:.2f} against {self.noc.reference:.2f} of at most "
                f"{self.noc.max_clicks}), limit +{self.tolerance.max_noc_increase}"
            )
        else:
            what = (
                f"a mean mask IoU of {self.mean_iou:.3f} with float32 over {self.objects} objects, "
                f"limit {self.tolerance.min_mask_iou}"
            )
        raise ParityError(
            f"{self.artifact} loses too much: {what}: keep more layers in float32 (--keep-float), "
            "calibrate on photos like yours (--calibration), or take it as it is (--accept-loss)."
        )


def accept(
    artifact: Runtime,
    reference: Runtime,
    samples: Sequence[Sample],
    tolerance: TaskTolerance,
    *,
    benchmark: Benchmark | None = None,
    progress: Progress = lambda _: None,
) -> TaskReport:
    """Measure an artifact against the float32 model it was made from.

    Args:
        artifact: of reduced precision.
        reference: float32, any size.
        samples: photos with known objects; float32 answers the simulated user's clicks on them,
            and the artifact is given the same clicks.
        tolerance: the limits of the artifact's precision.
        benchmark: on which NoC20@90 is counted for both, each with its own clicks.
        progress: told what is done next.

    Raises:
        InputFileError, ImageError: a photo or mask that cannot be read.
    """
    same_shapes = NarrowedRuntime(reference, artifact.spec)
    slots = artifact.spec.max_clicks or NOC_CLICKS
    counts = sorted({min(clicks, slots) for clicks in CLICKS})
    ious: list[list[float]] = []
    for number, sample in enumerate(samples, 1):
        progress(f"object {number}/{len(samples)}")
        ious.append(mask_agreement(artifact, same_shapes, sample, counts))
    difference = None
    if benchmark is not None:
        most = min(NOC_CLICKS, slots)
        before, after = (
            _count_clicks(each, benchmark, most, progress) for each in (same_shapes, artifact)
        )
        difference = NocDifference(benchmark.name, len(benchmark), before, after, most)
    return TaskReport(
        artifact=Path(artifact.label).name,
        tolerance=tolerance,
        objects=len(samples),
        mask_iou={n: float(np.mean([row[i] for row in ious])) for i, n in enumerate(counts)},
        lowest_iou=float(np.min(ious)),
        noc=difference,
    )


def _count_clicks(
    runtime: Runtime, benchmark: Benchmark, max_clicks: int, progress: Progress
) -> float:
    """NoC@90."""
    settings = EvaluationSettings(
        max_clicks=max_clicks,
        target_iou=NOC_IOU,
        zoom_in=ZoomIn(target_size=benchmark.zoom_target),
    )

    ious = []
    for done, sample in enumerate(benchmark, start=1):
        ious.append(evaluate_sample(runtime, sample, settings).ious)
        progress(f"{benchmark.name} {runtime.name} {done}/{len(benchmark)}")
    return summarize_noc(ious, NOC_IOU, max_clicks=max_clicks).mean


def mask_agreement(
    artifact: Runtime,
    reference: Runtime,
    sample: Sample,
    counts: Sequence[int] = CLICKS,
    *,
    flip: bool = True,
) -> list[float]:
    """IoU of the two masks after each number of clicks, with the clicks made on the reference.

    Each feeds its own mask back, so that errors add up as they would in an app. `flip` averages
    over the mirrored photo.
    """
    settings = EvaluationSettings(max_clicks=max(counts), flip=flip)
    expected: list[NDArray[np.bool_]] = []
    result = evaluate_sample(
        reference, sample, settings, observe=lambda session, _: expected.append(session.mask)
    )
    session = InteractiveSession(artifact, protocol="published", flip=flip)
    image, _ = sample.load()
    session.set_image(image)
    got = [session.click(c.row, c.column, positive=c.positive) for c in result.clicks]
    return [mask_iou(got[n - 1], expected[n - 1]) for n in counts]
