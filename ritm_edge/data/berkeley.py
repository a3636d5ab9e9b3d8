"""Berkeley: 100 objects on 96 photos; `images/NAME.jpg` and `masks/NAME.png`."""

from functools import partial
from pathlib import Path

from ..errors import InputFileError
from .base import Counts, Raise, Sample, image_files, read_trimap, report_by_raising

BENCHMARK = "Berkeley"
ZOOM_TARGET = 400
LAYOUT = ("images", "masks")
PUBLISHED = Counts(photos=96, objects=100)


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`.

    The masks 189011a, 189011b, 239007a and 239007b belong to further objects on a photo; some
    copies of the data set repeat the photo under those names, others do not.
    """
    photos, masks = (image_files(root / part, report) for part in LAYOUT)
    samples: list[Sample] = []
    missing = "{} has no {} in {}: download the benchmark again."
    for stem, mask in masks.items():
        photo = photos.get(stem)
        if photo is None and stem[-1] in "ab":
            photo = photos.get(stem[:-1])
        if photo is None:
            report(InputFileError(missing.format(mask, "photo", root / "images")))
            continue
        samples.append(Sample(stem, photo, partial(read_trimap, mask)))
    for stem in sorted(photos.keys() - {s.image_path.name.split(".")[0] for s in samples}):
        report(InputFileError(missing.format(photos[stem], "mask", root / "masks")))
    return samples
