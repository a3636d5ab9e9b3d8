"""DAVIS: 345 frames; `img/NAME.*` and `gt/NAME.*`, every coloured pixel is the object."""

from pathlib import Path

from .base import Counts, Raise, Sample, paired_samples, read_any_channel_mask, report_by_raising

BENCHMARK = "DAVIS"
ZOOM_TARGET = 600  # frames are larger than the photos of the other sets
LAYOUT = ("img", "gt")
PUBLISHED = Counts(photos=345, objects=345)


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`."""
    return paired_samples(root / "img", root / "gt", read_any_channel_mask, report)
