"""Typical inputs of a graph, recorded while the simulated user clicks on real photos."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ritm_edge.data.base import Sample, Truth
from ritm_edge.errors import ClickError
from ritm_edge.evaluation.labelled_photos import folder_objects, sample_objects
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.io_spec import DEFAULT_SIZE, IOSpec
from ritm_edge.runtimes.base import Outputs, Runtime
from ritm_edge.runtimes.narrowed import NarrowedRuntime

Inputs = dict[str, NDArray[np.float32]]

OBJECTS = 20
START_IOU = 0.75
CLICKS = 3  # first without a previous mask, then two with one
# Of the augmented sample photo: share of the side that stays, contrast, brightness, channel gain.
CROP = (0.55, 1.0)
CONTRAST = (0.6, 1.3)
BRIGHTNESS = (-50.0, 50.0)
CHANNEL_GAIN = (0.8, 1.2)


@dataclass(frozen=True)
class Calibration:
    """Recorded inputs: contract arrays by name, float32 NCHW, one entry per click; `source` says
    where they are from, for the self-description of the artifact."""

    inputs: Sequence[Inputs]
    source: str


def record_calibration(reference: Runtime, spec: IOSpec, folder: Path | None = None) -> Calibration:
    """Let the simulated user of the evaluation click on photos, answered by `reference` in float32,
    so that previous masks are real, and record the inputs of a graph of `spec`; one of any size is
    calibrated at 400×400.

    The folder has photos and label maps as `labelled_photos.folder_objects` takes them; None is the
    embedded sample photo: its five objects, each cropped, mirrored and recoloured at random, the
    same in every export. Raises InputFileError, ImageError: the folder has no usable photos.
    """
    samples: Sequence[Any]
    if folder is None:
        objects = sample_objects()
        samples = [_Augmented(objects[i % len(objects)], i) for i in range(OBJECTS)]
        source = "sample photo, augmented"
    else:
        samples = folder_objects(folder, count=OBJECTS)
        source = f"{len(samples)} photos of {folder.name}"
    recorder = _Recorder(reference, spec)
    starts: list[float | None] = [None]
    if spec.max_clicks is not None and spec.max_clicks < CLICKS:
        source += f", as many clicks as fit into {spec.max_clicks} slots of each sign"
        # Previous masks that clicks could not lead to.
        starts += [START_IOU] if spec.prev_mask else []
    for sample, start in product(samples, starts):
        with suppress(ClickError):  # no slot is left for the next click: those before it count
            settings = EvaluationSettings(max_clicks=CLICKS, flip=False, start_iou=start)
            evaluate_sample(recorder, sample, settings)
    return Calibration(recorder.recorded, source)


class _Recorder(NarrowedRuntime):
    """Records the inputs that it is given."""

    def __init__(self, reference: Runtime, spec: IOSpec) -> None:
        height, width = spec.size or DEFAULT_SIZE
        super().__init__(reference, IOSpec(height, width, spec.max_clicks, spec.prev_mask))
        self.recorded: list[Inputs] = []

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        self.recorded.append({n: np.array(array, np.float32) for n, array in inputs.items()})
        return super().run(inputs)


@dataclass(frozen=True)
class _Augmented:
    """One object, seen through a random crop, mirror and colour cast."""

    sample: Sample
    number: int

    @property
    def name(self) -> str:
        return f"{self.sample.name} {self.number}"

    def load(self) -> tuple[NDArray[np.uint8], Truth]:
        rng = np.random.default_rng((0, self.number))
        image, truth = self.sample.load()
        rows, columns = _crop(truth, rng)
        image, truth = image[rows, columns], truth[rows, columns]
        if rng.random() < 0.5:
            image, truth = image[:, ::-1], truth[:, ::-1]
        gain = rng.uniform(*CONTRAST) * rng.uniform(*CHANNEL_GAIN, 3)
        changed = (image - 128.0) * gain + 128.0 + rng.uniform(*BRIGHTNESS)
        return np.clip(changed, 0, 255).astype(np.uint8), np.ascontiguousarray(truth)


def _crop(truth: Truth, rng: np.random.Generator) -> Iterator[slice]:
    """Rows and columns of a random crop that holds the middle of the object."""
    middle = np.argwhere(truth == 1).mean(axis=0)
    for side, position in zip(truth.shape, middle, strict=True):
        length = int(side * rng.uniform(*CROP))
        low = max(0, int(position) - length + 1)
        high = min(int(position), side - length)
        start = int(rng.integers(low, high + 1))
        yield slice(start, start + length)
