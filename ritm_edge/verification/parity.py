"""Does an artifact compute what the PyTorch model does? Numbers and masks, on new inputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click, pack_clicks
from ..errors import ParityError
from ..evaluation.metrics import mask_iou
from ..io_spec import CLICKS, IMAGE, MASK, MASK_THRESHOLD, PREV_MASK, IOSpec
from ..runtimes.base import Runtime

# Sizes on which a graph that takes any height and width is verified, (H, W).
DYNAMIC_SIZES = ((320, 480), (257, 191))
# An output that hardly varies proves nothing: logits of a constant agree with everything.
MIN_REFERENCE_RANGE = 0.2


@dataclass(frozen=True)
class Tolerance:
    """How far an artifact may be from PyTorch.

    Attributes:
        atol: largest absolute difference of a probability anywhere.
        min_mask_iou: smallest IoU of the masks at probability 0.49.
        reason: where the difference comes from.
    """

    atol: float
    min_mask_iou: float
    reason: str


FP32_TOLERANCE = Tolerance(
    atol=1e-4,
    min_mask_iou=0.999,
    reason="float32 kernels add in different orders; about 1e-5 was measured",
)


@dataclass(frozen=True)
class Case:
    """One set of inputs, by tensor name (NCHW)."""

    name: str
    inputs: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class CaseResult:
    """Differences of one case.

    Attributes:
        max_abs: largest absolute difference of a probability.
        mean_abs: mean absolute difference.
        mask_iou: IoU of the two masks; 1 when both are empty.
        low, high: smallest and largest reference probability.
    """

    name: str
    max_abs: float
    mean_abs: float
    mask_iou: float
    low: float
    high: float

    def within(self, tolerance: Tolerance) -> bool:
        # NaN compares as False and therefore fails.
        return self.max_abs <= tolerance.atol and self.mask_iou >= tolerance.min_mask_iou


@dataclass(frozen=True)
class ParityReport:
    """All cases of one artifact against one checkpoint."""

    artifact: str
    tolerance: Tolerance
    cases: Sequence[CaseResult]

    @property
    def max_abs(self) -> float:
        return float(np.max([case.max_abs for case in self.cases]))

    @property
    def mean_abs(self) -> float:
        return float(np.mean([case.mean_abs for case in self.cases]))

    @property
    def min_mask_iou(self) -> float:
        return float(np.min([case.mask_iou for case in self.cases]))

    @property
    def reference_range(self) -> tuple[float, float]:
        return min(case.low for case in self.cases), max(case.high for case in self.cases)

    @property
    def meaningful(self) -> bool:
        """Whether the reference outputs vary enough for agreement to mean something."""
        low, high = self.reference_range
        return high - low >= MIN_REFERENCE_RANGE

    @property
    def passed(self) -> bool:
        return self.meaningful and all(case.within(self.tolerance) for case in self.cases)

    def summary(self) -> dict[str, Any]:
        """Plain values for the artifact's metadata."""
        return {
            "passed": self.passed,
            "cases": len(self.cases),
            "max_abs": self.max_abs,
            "mean_abs": self.mean_abs,
            "min_mask_iou": self.min_mask_iou,
            "atol": self.tolerance.atol,
        }

    def as_dict(self) -> dict[str, Any]:
        """The summary, and every case under "case_results"."""
        values = asdict(self)
        return {**self.summary(), "case_results": values.pop("cases"), **values}

    def require_passed(self) -> None:
        """Raise unless everything agrees: ParityError, which names the worst case, its numbers and
        the limits."""
        if self.passed:
            return
        if not self.meaningful:
            low, high = self.reference_range
            raise ParityError(
                f"{self.artifact}: the checkpoint gives {low:.3f} to {high:.3f} for all inputs, so "
                "agreement means nothing: verify with trained weights."
            )
        worst = next(case for case in self.cases if not case.within(self.tolerance))
        raise ParityError(
            f"{self.artifact} disagrees with PyTorch in the case '{worst.name}' (largest "
            f"difference {worst.max_abs:.1e}, limit {self.tolerance.atol:.0e}; mask IoU "
            f"{worst.mask_iou:.4f}, limit {self.tolerance.min_mask_iou}): do not use it; export "
            "again with the versions of constraints.txt."
        )


def parity_cases(
    spec: IOSpec, *, photos: Sequence[NDArray[np.uint8]] = (), seed: int = 1
) -> Iterator[Case]:
    """Inputs that no converter has seen: random ones, edge cases of clicks, and real photos, uint8
    RGB [h, w, 3] of any size. A graph of any size gets `DYNAMIC_SIZES`."""
    sizes = [spec.size] if spec.size else list(DYNAMIC_SIZES)
    for index, (height, width) in enumerate(sizes):
        rng = np.random.default_rng((seed, index))
        suffix = "" if spec.size else f" {height}x{width}"
        noise = rng.integers(0, 256, (1, 3, height, width)).astype(np.float32)
        smooth = _smooth_image(rng, height, width)
        zeros = np.zeros((1, 1, height, width), np.float32)
        previous = _blob(height, width)
        slots = spec.max_clicks or 24
        sets = click_sets(height, width, slots=slots, rng=rng)
        for name, clicks in sets.items():
            yield _case(spec, f"{name}{suffix}", smooth, clicks, zeros, slots)
        yield _case(spec, f"noise image{suffix}", noise, sets["mixed fractional"], zeros, slots)
        if spec.prev_mask:
            yield _case(
                spec, f"previous mask{suffix}", smooth, sets["mixed fractional"], previous, slots
            )
        for number, photo in enumerate(photos):
            image = _fit(photo, height, width)
            clicks = sets["one positive"]
            yield _case(spec, f"photo {number + 1}{suffix}", image, clicks, zeros, slots)
            clicks = sets["mixed fractional"]
            yield _case(
                spec, f"photo {number + 1} corrected{suffix}", image, clicks, previous, slots
            )


def click_sets(
    height: int, width: int, *, slots: int, rng: np.random.Generator
) -> dict[str, list[Click]]:
    """Named lists of clicks, each within `slots` per sign."""
    h, w = float(height), float(width)
    mixed = [
        Click(0.5 * h, 0.5 * w, True, 0),
        Click(0.31 * h + 0.37, 0.62 * w + 0.81, True, 1),
        Click(0.15 * h + 0.5, 0.2 * w + 0.25, False, 2),
    ]
    border = [
        Click(0, 0, True, 0),
        Click(h - 1, w - 1, True, 1),
        Click(h - 0.5, 0.4 * w, False, 2),
        Click(0.6 * h, -0.5, False, 3),
    ]
    outside = [
        Click(-3, 0.5 * w, True, 0),  # its disk is partly visible
        Click(h + 40, w + 7.5, True, 1),
        Click(-2, -2, False, 2),  # both negative: an empty slot by definition
        Click(0.5 * h, w + 3.5, False, 3),
    ]
    full = [
        Click(float(rng.uniform(0, h - 1)), float(rng.uniform(0, w - 1)), sign, order)
        for sign in (True, False)
        for order in range(slots)
    ]
    sets = {
        "no click": [],
        "one positive": [Click(round(0.5 * h), round(0.5 * w))],
        "mixed fractional": mixed,
        "on the border": border,
        "outside": outside,
        "all slots full": full,
    }
    return {name: _at_most(clicks, slots) for name, clicks in sets.items()}


def _at_most(clicks: list[Click], slots: int) -> list[Click]:
    """Keep the first `slots` clicks of each sign, for graphs with very few slots."""
    return [
        click
        for sign in (True, False)
        for click in [c for c in clicks if c.positive is sign][:slots]
    ]


def compare(
    artifact: Runtime, reference: Runtime, cases: Iterator[Case], tolerance: Tolerance
) -> ParityReport:
    """Run every case on both and measure. Raises ArtifactError: the artifact fails, or its result
    is not a map of probabilities."""
    results = [
        compare_masks(case.name, artifact.run(case.inputs)[MASK], reference.run(case.inputs)[MASK])
        for case in cases
    ]
    return ParityReport(Path(artifact.label).name, tolerance, results)


def compare_masks(
    name: str, actual: NDArray[np.float32], reference: NDArray[np.float32]
) -> CaseResult:
    """Differences of two probability maps of one shape."""
    difference = np.abs(actual.astype(np.float64) - reference.astype(np.float64))
    return CaseResult(
        name=name,
        max_abs=float(difference.max()),
        mean_abs=float(difference.mean()),
        mask_iou=mask_iou(actual > MASK_THRESHOLD, reference > MASK_THRESHOLD),
        low=float(reference.min()),
        high=float(reference.max()),
    )


def _case(
    spec: IOSpec,
    name: str,
    image: NDArray[np.float32],
    clicks: list[Click],
    prev_mask: NDArray[np.float32],
    slots: int,
) -> Case:
    # float32 is what artifacts take; the reference must see the same rounded coordinates.
    packed = pack_clicks(clicks, max_clicks=slots).astype(np.float32)
    inputs = {IMAGE: image, CLICKS: packed}
    if spec.prev_mask:
        inputs[PREV_MASK] = prev_mask
    return Case(name, inputs)


def _smooth_image(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Coloured gradients and a bright ellipse: something with an object in it."""
    rows = np.linspace(-1, 1, height)[:, None]
    columns = np.linspace(-1, 1, width)[None, :]
    image = np.empty((1, 3, height, width), np.float32)
    for channel in range(3):
        a, b, c = rng.uniform(-60, 60, 3)
        image[0, channel] = 110 + a * rows + b * columns + c * rows * columns
    ellipse = (rows / 0.5) ** 2 + (columns / 0.4) ** 2 < 1
    image[0, :, ellipse] = rng.uniform(150, 255, 3)
    return np.clip(image, 0, 255).round()


def _blob(height: int, width: int) -> NDArray[np.float32]:
    """A soft previous mask, 0…1, off the centre."""
    rows = np.linspace(-1, 1, height)[:, None]
    columns = np.linspace(-1, 1, width)[None, :]
    distance = (rows - 0.2) ** 2 + (columns + 0.1) ** 2
    return np.asarray(1 / (1 + np.exp(12 * (distance - 0.3))), np.float32)[None, None]


def _fit(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    import cv2

    resized = cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized.transpose(2, 0, 1)[None].astype(np.float32)
