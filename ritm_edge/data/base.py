"""What all benchmark readers share: samples, and reading photos and masks as published."""

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DataWarning, ImageError, InputFileError
from ..imaging.images import IMAGE_SUFFIXES, read_photo

Truth = NDArray[np.int32]
# What a reader does with a problem: raise it, or collect it and continue.
Raise = Callable[[InputFileError], None]
# Pictures that are not read; they are reported instead of being ignored silently.
OTHER_SUFFIXES = frozenset(
    ".gif .jfif .jpe .jp2 .j2k .avif .heic .heif .ppm .pgm .pbm .pnm .tga .psd .exr .svg .dng .cr2 "
    ".cr3 .nef .arw .npy .mat".split()
)


class LeftOutError(InputFileError):
    """A file that belongs to no sample, at which only `data check` stops."""


def report_by_raising(error: InputFileError) -> None:
    """The `Raise` of everything but a check."""
    raise error


class LeftOut(list[LeftOutError]):
    """A `Raise` that keeps what is left out, to warn of it in one sentence, and raises the rest."""

    def __call__(self, error: InputFileError) -> None:
        if not isinstance(error, LeftOutError):
            raise error
        self.append(error)

    def warn(self) -> None:
        """Issue a `DataWarning` with the number of files and the first ten."""
        if self:
            named = "; ".join(str(each).rstrip(".") for each in self[:10])
            more = f"; and {len(self) - 10} more" if len(self) > 10 else ""
            count = "1 file is" if len(self) == 1 else f"{len(self)} files are"
            warnings.warn(DataWarning(f"{count} left out: {named}{more}."), stacklevel=3)


@dataclass(frozen=True)
class Counts:
    """How many photos and objects a benchmark has in the published evaluation."""

    photos: int
    objects: int


@dataclass(frozen=True)
class Sample:
    """One object of one photo; its name is unique in its benchmark. `read_truth` reads the mask,
    int32 [H, W] with 1 object, 0 background, −1 ignored; not a closure, so that samples can be
    pickled."""

    name: str
    image_path: Path
    read_truth: Callable[[], Truth]

    def load(self) -> tuple[NDArray[np.uint8], Truth]:
        """The photo, uint8 [H, W, 3] RGB, and its truth. Raises ImageError: a file that cannot
        be decoded, or a mask of another size than the photo; InputFileError: a file that is
        missing."""
        image, truth = read_photo(self.image_path), self.read_truth()
        if image.shape[:2] != truth.shape:
            raise ImageError(
                f"{self.image_path} is {image.shape[0]}x{image.shape[1]} (HxW), its mask "
                f"{truth.shape[0]}x{truth.shape[1]}: download the benchmark again."
            )
        return image, truth


@dataclass(frozen=True)
class Benchmark:
    """The samples of a data set ("GrabCut", …) in the published order, at least one, and the target
    size in pixels of the zoom-in in its published evaluation."""

    name: str
    samples: tuple[Sample, ...]
    zoom_target: int

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Decode a mask as the published `cv2.imread` does: 8-bit BGR, transparency ignored. Raises
    ImageError: not an image, damaged, or too large; InputFileError: missing or unreadable."""
    read_photo(path)  # OpenCV reads damaged files without a warning
    image = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path} cannot be read by OpenCV: save it as an 8-bit PNG.")
    return np.asarray(image, np.uint8)


def read_any_channel_mask(path: Path) -> Truth:
    """Mask whose coloured pixels of whatever value are the object; nothing is ignored."""
    return np.asarray(read_bgr(path).max(axis=2) > 0, np.int32)


def read_trimap(path: Path) -> Truth:
    """Mask in the first (blue) channel: exactly 128 is ignored, more is the object.

    Values below 128 stay as they are; only 1 among them would count as object, as published.
    """
    mask = read_bgr(path)[:, :, 0].astype(np.int32)
    return np.select([mask == 128, mask > 128], [-1, 1], mask).astype(np.int32)


def image_files(
    folder: Path, report: Raise = report_by_raising, *, own: bool = False
) -> dict[str, Path]:
    """Stem → image file, in the order of the file names; system files are skipped. `report` is
    told of two files with the same stem. In our own layout (`own`) the stem is all before the
    suffix, not before the first dot as published, and what looks like a photo and is not read is
    reported. Raises InputFileError: no such folder, or no images in it."""
    if not folder.is_dir():
        raise InputFileError(
            f"{folder} is not a folder: pass the folder of the benchmark in its official layout."
        )
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith("."):
            continue
        if own and (path.is_dir() or suffix in OTHER_SUFFIXES):
            report(LeftOutError(f"{path} is not read: only {', '.join(IMAGE_SUFFIXES)} are"))
        elif own and suffix in IMAGE_SUFFIXES and not path.is_file():
            report(LeftOutError(f"{path} leads to no file: check the link"))
        elif suffix in IMAGE_SUFFIXES:
            stem = path.stem if own else path.name.split(".")[0]
            if stem in files:
                both = f"{files[stem].name} and {path.name}"
                report(InputFileError(f"{folder} has both {both}: remove one of them."))
            else:
                files[stem] = path
    if not files and not own:
        raise InputFileError(f"{folder} has no images: download the benchmark again.")
    return files


def paired_files(
    images: Path, masks: Path, report: Raise = report_by_raising, *, own: bool = False
) -> list[tuple[str, Path, Path]]:
    """(stem, photo, mask) of every photo, in the order of their names; `report` is told of one
    without the other. In our own layout a photo without a mask is left out, elsewhere it is an
    error. Raises InputFileError: a missing folder; except for our own layout, an empty one."""
    found, photos = image_files(masks, report, own=own), image_files(images, report, own=own)
    kind, advice = (LeftOutError, "") if own else (InputFileError, ": download the benchmark again")
    for stem in [stem for stem in photos if stem not in found]:
        report(kind(f"{photos[stem]} has no mask in {masks}{advice}."))
    for stem in [stem for stem in found if stem not in photos]:
        report(LeftOutError(f"{found[stem]} has no photo in {images}."))
    return [(stem, path, found[stem]) for stem, path in photos.items() if stem in found]


def paired_samples(
    images: Path, masks: Path, read_mask: Callable[[Path], Truth], report: Raise
) -> list[Sample]:
    """One sample per photo, with the mask of the same stem; errors as `paired_files`."""
    pairs = paired_files(images, masks, report)
    return [Sample(stem, image, partial(read_mask, mask)) for stem, image, mask in pairs]
