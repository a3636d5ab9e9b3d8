"""Is this folder a benchmark, which one, is it complete, and what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import InputFileError, data_warnings
from ..imaging.images import IMAGE_SUFFIXES, read_photo
from . import find_reader, readers
from .base import Counts, Sample

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckReport:
    """What was found in a folder.

    Attributes:
        photos: different photos that have an object.
        published: counts in the published evaluation; None for a user's own folder.
        ignored_pixels: share of all mask pixels that count neither way, 0…1.
        problems: one sentence each; empty if nothing is wrong.
        notes: what to look at although it is not wrong: damage that a decoder tolerates, and masks
            of other kinds than label maps.
    """

    benchmark: str
    folder: Path
    photos: int
    objects: int
    published: Counts | None
    ignored_pixels: float
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        published = self.published
        return {
            "benchmark": self.benchmark,
            "folder": str(self.folder),
            "photos": self.photos,
            "objects": self.objects,
            "published_photos": None if published is None else published.photos,
            "published_objects": None if published is None else published.objects,
            "ignored_pixels": self.ignored_pixels,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "ok": not self.problems,
        }


def check_folder(
    folder: Path, name: str | None = None, *, progress: Progress = lambda _done, _total: None
) -> CheckReport:
    """Recognise a benchmark, or take it for the one called `name`, decode every photo and mask, and
    compare the counts; `folder` may be the one its archive makes. Raises InputFileError: the folder
    has no known layout, or nothing in it can be read; UsageError: an unknown name."""
    reader = recognise(folder) if name is None else find_reader(name)
    problems: list[str] = []
    seen = _Decoded()
    with data_warnings() as damage:
        samples = reader.find_samples(folder, lambda error: problems.append(str(error)))
        for number, sample in enumerate(samples, start=1):
            try:
                seen.add(sample)
            except InputFileError as error:
                problems.append(str(error))
            progress(number, len(samples))
        notes = reader.notes(samples) if hasattr(reader, "notes") else []
    photos = len(seen.photos)
    published: Counts | None = reader.PUBLISHED
    if published is not None:
        for what, found, wanted in (
            ("photos", photos, published.photos),
            ("objects", len(samples), published.objects),
        ):
            if found != wanted:
                problems.append(
                    f"{folder} has {found} {what}, the published {reader.BENCHMARK} has {wanted}: "
                    "download the benchmark again."
                )
    return CheckReport(
        benchmark=reader.BENCHMARK,
        folder=folder,
        photos=photos,
        objects=len(samples),
        published=published,
        ignored_pixels=seen.ignored / max(seen.pixels, 1),
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(dict.fromkeys((*damage, *notes))),
    )


class _Decoded:
    """What the samples decoded so far had in them."""

    def __init__(self) -> None:
        # By content: some copies of Berkeley repeat a photo for each of its objects.
        self.photos: set[int] = set()
        self.pixels = self.ignored = 0
        self._last: tuple[Path, tuple[int, ...]] | None = None

    def add(self, sample: Sample) -> None:
        """Decode photo and truth. Raises InputFileError: one of them is missing or broken, their
        sizes differ, or no object."""
        if self._last is None or self._last[0] != sample.image_path:
            photo = read_photo(sample.image_path)
            self.photos.add(hash(photo.tobytes()))
            self._last = sample.image_path, photo.shape[:2]
        truth = sample.read_truth()
        self.pixels += truth.size
        self.ignored += int(np.count_nonzero(truth == -1))
        if truth.shape != self._last[1]:
            rows, columns = self._last[1]
            raise InputFileError(
                f"{sample.image_path} is {rows}x{columns} (HxW), the mask of {sample.name} "
                f"{truth.shape[0]}x{truth.shape[1]}: download the benchmark again."
            )
        if not (truth == 1).any():
            raise InputFileError(
                f"the mask of {sample.name} has no object pixel: download the benchmark again."
            )


def recognise(folder: Path) -> ModuleType:
    """The reader of the benchmark that a folder holds. Where several have the same layout (DAVIS
    and COCO_MVal; Berkeley and our own), the name of the folder decides, then the number of masks.
    Raises InputFileError: not a folder, or no known layout."""
    if not folder.is_dir():
        raise InputFileError(f"{folder} is not a folder: pass that of a benchmark.")
    candidates = [reader for reader in readers().values() if _root(folder, reader) is not None]
    if not candidates:
        layouts = "; ".join(f"{r.BENCHMARK}: {', '.join(r.LAYOUT)}" for r in readers().values())
        raise InputFileError(
            f"{folder} has the layout of no known benchmark ({layouts}): pass the folder that "
            "holds these."
        )
    words = [part.lower().replace("-", "_") for part in folder.resolve().parts[::-1]]
    for word in words[:2]:
        for reader in candidates:
            if reader.BENCHMARK.lower() in word:
                return reader
    own = [reader for reader in candidates if reader.PUBLISHED is None]
    masks = sum(
        p.suffix.lower() in IMAGE_SUFFIXES for p in (folder / candidates[0].LAYOUT[1]).glob("*")
    )
    published = [reader for reader in candidates if reader.PUBLISHED is not None]
    nearest = min(published, key=lambda r: abs(r.PUBLISHED.objects - masks), default=None)
    if nearest is not None and (not own or nearest.PUBLISHED.objects == masks):
        return nearest
    return own[0]


def _root(folder: Path, reader: ModuleType) -> Path | None:
    for root in (folder, *(folder / below for below in getattr(reader, "BELOW", ()))):
        if all((root / part).exists() for part in reader.LAYOUT):
            return Path(root)
    return None
