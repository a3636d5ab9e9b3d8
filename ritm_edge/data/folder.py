"""Our own layout: `images/NAME.*` and `masks/NAME.*`, masks of any kind, one sample per object."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputFileError
from ..imaging.images import read_mask_file
from ..imaging.mask_kinds import IGNORED, LABEL_MAP, LISTED
from .base import Raise, Sample, paired_files, report_by_raising
from .instances import InstanceTruth, instance_samples

BENCHMARK = "Folder"
ZOOM_TARGET = 400
LAYOUT = ("images", "masks")
PUBLISHED = None


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`; what a mask of which kind means is in `mask_kinds`."""
    samples: list[Sample] = []
    pairs = paired_files(root / "images", root / "masks", report, own=True)
    if not pairs:
        report(InputFileError(f"{root} has no photo with a mask: give both the same name."))
    for stem, image, mask in pairs:
        samples += instance_samples(stem, image, mask, read_labels, IGNORED, report)
    return samples


def read_labels(path: Path) -> NDArray[np.int32]:
    """int32 [H, W]: 0 background, 1… objects, `IGNORED`; errors as `read_mask_file`."""
    return read_mask_file(path).labels


def notes(samples: Sequence[Sample]) -> list[str]:
    """What a check says about masks that are not label maps."""
    kinds: dict[str, list[str]] = {}
    truths = [s.read_truth for s in samples if isinstance(s.read_truth, InstanceTruth)]
    for path in dict.fromkeys(truth.path for truth in truths):
        kinds.setdefault(read_mask_file(path).kind, []).append(path.name)
    maps = len(kinds.pop(LABEL_MAP, ()))
    warning = f"; warning: {maps} others are label maps, where 255 is not an object" if maps else ""
    return [
        f"read as {kind} with one object each ({len(names)} of the masks{warning}): "
        + ", ".join(names[:LISTED])
        + (" …" if len(names) > LISTED else "")
        for kind, names in kinds.items()
    ]
