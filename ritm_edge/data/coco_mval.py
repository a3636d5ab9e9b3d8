"""COCO_MVal: 800 objects in the layout and by the mask rule of DAVIS."""

from pathlib import Path

from . import davis
from .base import Sample

BENCHMARK = "COCO_MVal"
ZOOM_TARGET = 400


def find_samples(root: Path) -> list[Sample]:
    """See `open_benchmark`."""
    return davis.find_samples(root)
