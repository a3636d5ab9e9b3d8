"""Maps of several objects: .mat files of SBD, colour PNGs of Pascal VOC, our label maps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, InputFileError, raise_own_fault
from ..files import existing_file, read_file
from ..optional import require
from .base import Raise, Sample, Truth, read_bgr, report_by_raising

Labels = NDArray[Any]
MAX_MAT_BYTES = 64_000_000  # those of SBD have a few kilobytes
MAX_LIST_BYTES = 1 << 26


@dataclass(frozen=True)
class InstanceTruth:
    """Reads one object of a map: `read` gives its integer [H, W] labels; pixels of the label
    `ignored`, where that is not None, count neither way."""

    path: Path
    read: Callable[[Path], Labels]
    label: int
    ignored: int | None

    def __call__(self) -> Truth:
        labels = self.read(self.path)
        truth: Truth = (labels == self.label).astype(np.int32)
        if self.ignored is not None:
            truth[labels == self.ignored] = -1
        return truth


def instance_samples(
    name: str,
    image: Path,
    labels: Path,
    read: Callable[[Path], Labels],
    ignored: int | None,
    report: Raise = report_by_raising,
) -> list[Sample]:
    """One sample per object of the map `labels`, by rising label, called "NAME#LABEL"; 0 is
    background, `ignored` not an object. `report` is told when the map cannot be read or has no
    object."""
    try:
        present = np.unique(read(labels))
    except InputFileError as error:
        report(error)
        return []
    objects = [int(label) for label in present if label != 0 and label != ignored]
    if not objects:
        report(ImageError(f"{labels} has no object in it: remove it with its photo."))
    return [
        Sample(f"{name}#{label}", image, InstanceTruth(labels, read, label, ignored))
        for label in objects
    ]


def read_mat(path: Path) -> Labels:
    """The instance map (GTinst.Segmentation) of one of SBD's .mat files: 0 background, 1… objects.
    Raises ImageError: damaged, or without such a map; InputFileError: missing or unreadable;
    MissingExtraError: SciPy is not installed."""
    io = require("scipy.io", extra="train")
    path = existing_file(path)
    if not path.is_file() or path.stat().st_size > MAX_MAT_BYTES:
        raise ImageError(f"{path} is not a .mat file of SBD: download the benchmark again.")
    try:
        labels = np.asarray(io.loadmat(str(path))["GTinst"][0]["Segmentation"][0])
    except Exception as error:  # the reader raises a dozen kinds of errors on damaged files
        raise_own_fault(error)
        raise ImageError(
            f"{path} holds no GTinst.Segmentation that can be read ({type(error).__name__}): "
            "download the benchmark again."
        ) from error
    if labels.ndim != 2 or labels.dtype.kind not in "ui" or labels.max(initial=0) > 255:
        raise ImageError(f"{path} is not a map of up to 255 objects: download it again.")
    return labels.astype(np.uint8)


def read_grey(path: Path) -> Labels:
    """A colour map by the grey value of its colours, as published for Pascal VOC; colours of the
    same grey become one object, as a few of Pascal VOC's from the 16th object of a photo on.
    Raises: as `read_bgr`."""
    return np.asarray(cv2.cvtColor(read_bgr(path), cv2.COLOR_BGR2GRAY), np.uint8)


def read_names(path: Path) -> list[str]:
    """Names in a list such as val.txt. Raises InputFileError: missing, no text, or without a
    name."""
    try:
        names = read_file(path, most=MAX_LIST_BYTES).decode().split()
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is not a list of names: download it again.") from error
    if not names:
        raise InputFileError(f"{path} names no photo: download it again.")
    return names


def folder_with(root: Path, probe: str, *below: str) -> Path:
    """`root`, or the first folder `below` it, that has `probe` in it; `root` where none has."""
    for folder in (root, *(root / name for name in below)):
        if (folder / probe).exists():
            return folder
    return root
