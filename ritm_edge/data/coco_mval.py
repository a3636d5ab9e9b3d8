"""COCO_MVal: 800 objects on 722 photos, in the layout and by the mask rule of DAVIS."""

from pathlib import Path

from . import davis
from .base import Counts, Raise, Sample, report_by_raising

BENCHMARK = "COCO_MVal"
ZOOM_TARGET = 400
LAYOUT = ("img", "gt")
PUBLISHED = Counts(photos=722, objects=800)  # a photo has a file per object


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`."""
    return davis.find_samples(root, report)
