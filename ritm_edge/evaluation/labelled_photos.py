"""Photos whose objects are known: the sample photo, and a choice from a folder."""

from pathlib import Path

import numpy as np

from ..data import open_benchmark
from ..data.base import Sample
from ..data.folder import BENCHMARK, read_labels
from ..data.instances import instance_samples
from ..errors import InputFileError
from ..imaging.mask_kinds import IGNORED
from ..samples import sample_label_map, sample_photo

# A smaller object is hidden by a click.
MIN_OBJECT_PIXELS = 400


def sample_objects() -> list[Sample]:
    """The five objects of the embedded sample photo."""
    return instance_samples("astronaut", sample_photo(), sample_label_map(), read_labels, IGNORED)


def folder_objects(folder: Path, *, count: int) -> list[Sample]:
    """At most `count` objects of at least 400 pixels, spread evenly over a folder in our own layout
    (`data.folder`). Raises InputFileError: a missing folder, no photo with a mask, or no such
    object; ImageError: a map that cannot be read."""
    samples = open_benchmark(BENCHMARK, folder).samples
    even = dict.fromkeys(int(i) for i in np.linspace(0, len(samples) - 1, min(count, len(samples))))
    chosen: list[Sample] = []
    # Too small an object is replaced by one from the rest.
    for index in [*even, *(i for i in range(len(samples)) if i not in even)]:
        if len(chosen) == count:
            break
        if np.count_nonzero(samples[index].read_truth() == 1) >= MIN_OBJECT_PIXELS:
            chosen.append(samples[index])
    if not chosen:
        raise InputFileError(
            f"no object in {folder} has {MIN_OBJECT_PIXELS} pixels: pass a folder with larger ones."
        )
    return chosen
