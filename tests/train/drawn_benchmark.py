"""A benchmark of generated photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.data.base import Benchmark, Sample

from .photos import shapes


def no_truth() -> NDArray[Any]:
    raise AssertionError("the sample is drawn as a whole")


@dataclass(frozen=True)
class DrawnSample(Sample):
    """A sample without files: the number in its name is the seed."""

    def load(self) -> tuple[NDArray[Any], NDArray[Any]]:
        photo, labels = shapes(int(self.name), (80, 96))
        return photo, (labels == 1).astype(np.int32)


BENCHMARK = Benchmark(
    "Drawn", tuple(DrawnSample(str(index), Path(), no_truth) for index in range(5)), 64
)
