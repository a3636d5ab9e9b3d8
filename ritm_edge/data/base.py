"""What all benchmark readers share: samples, and reading photos and masks as published."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, InputFileError
from ..images import read_photo

Truth = NDArray[np.int32]
# What a reader does with something wrong: raise it, or collect it and go on.
Raise = Callable[[InputFileError], None]
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def report_by_raising(error: InputFileError) -> None:
    """The `Raise` of everything but a check."""
    raise error


@dataclass(frozen=True)
class Counts:
    """How many photos and objects a benchmark has in the published evaluation."""

    photos: int
    objects: int


@dataclass(frozen=True)
class Sample:
    """One object of one photo.

    Attributes:
        name: unique in its benchmark.
        image_path: the photo.
        read_truth: reads the mask, int32 [H, W] with 1 object, 0 background, −1 ignored.
    """

    name: str
    image_path: Path
    read_truth: Callable[[], Truth]

    def load(self) -> tuple[NDArray[np.uint8], Truth]:
        """The photo, uint8 [H, W, 3] RGB, and its truth.

        Raises:
            ImageError: a file that cannot be decoded, or a mask of another size than the photo.
            InputFileError: a file that is missing.
        """
        image, truth = read_photo(self.image_path), self.read_truth()
        if image.shape[:2] != truth.shape:
            raise ImageError(
                f"{self.image_path} has {image.shape[0]} rows of {image.shape[1]} pixels, its mask "
                f"{truth.shape[0]} of {truth.shape[1]}: download the benchmark again."
            )
        return image, truth


@dataclass(frozen=True)
class Benchmark:
    """The samples of a data set in the published order.

    Attributes:
        name: "GrabCut", …
        samples: at least one.
        zoom_target: target size of the zoom-in in the published evaluation, pixels.
    """

    name: str
    samples: tuple[Sample, ...]
    zoom_target: int

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Decode a mask as the published `cv2.imread` does: 8-bit BGR, transparency ignored.

    Raises:
        ImageError: not an image, damaged, or too large.
        InputFileError: missing or unreadable.
    """
    read_photo(path)  # OpenCV reads damaged files without a word
    image = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path} cannot be read by OpenCV: save it as an 8-bit PNG.")
    return np.asarray(image, np.uint8)


def read_any_channel_mask(path: Path) -> Truth:
    """Mask whose coloured pixels of whatever value are the object; nothing is ignored."""
    return (read_bgr(path).max(axis=2) > 0).astype(np.int32)


def read_trimap(path: Path) -> Truth:
    """Mask in the first (blue) channel: exactly 128 is ignored, more is the object.

    Values below 128 stay as they are; only 1 among them would count as object, as published.
    """
    mask = read_bgr(path)[:, :, 0].astype(np.int32)
    return np.select([mask == 128, mask > 128], [-1, 1], mask).astype(np.int32)


def image_files(folder: Path, report: Raise = report_by_raising) -> dict[str, Path]:
    """Stem (text before the first dot) → image file, in the order of the file names.

    Args:
        folder: where they are.
        report: told of two files with the same stem.

    Raises:
        InputFileError: no such folder, or no images in it.
    """
    if not folder.is_dir():
        raise InputFileError(
            f"{folder} is not a folder: pass the folder of the benchmark in its official layout."
        )
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        stem = path.name.split(".")[0]
        if stem in files:
            report(
                InputFileError(
                    f"{folder} has both {files[stem].name} and {path.name}: remove one of them."
                )
            )
            continue
        files[stem] = path
    if not files:
        raise InputFileError(f"{folder} has no images: download the benchmark again.")
    return files


def paired_files(
    images: Path, masks: Path, report: Raise = report_by_raising
) -> Iterator[tuple[str, Path, Path]]:
    """(stem, photo, mask) of every photo; one without a mask is reported.

    Raises:
        InputFileError: a missing or empty folder.
    """
    mask_files = image_files(masks, report)
    for stem, image in image_files(images, report).items():
        if stem in mask_files:
            yield stem, image, mask_files[stem]
        else:
            report(InputFileError(f"{image} has no mask in {masks}: download the benchmark again."))


def paired_samples(
    images: Path,
    masks: Path,
    read_mask: Callable[[Path], Truth],
    report: Raise = report_by_raising,
) -> list[Sample]:
    """One sample per photo, with the mask of the same stem; errors as `paired_files`."""
    return [
        Sample(stem, image, TruthFile(mask, read_mask))
        for stem, image, mask in paired_files(images, masks, report)
    ]


@dataclass(frozen=True)
class TruthFile:
    """Reads one mask file by one rule; a class and not a closure so that samples can be pickled."""

    path: Path
    read_mask: Callable[[Path], Truth]

    def __call__(self) -> Truth:
        return self.read_mask(self.path)
