"""COCO_MVal: 800 objects on 722 photos, in the layout and by the mask rule of DAVIS."""

from .base import Counts
from .davis import LAYOUT, find_samples

__all__ = ["BENCHMARK", "LAYOUT", "PUBLISHED", "ZOOM_TARGET", "find_samples"]

BENCHMARK = "COCO_MVal"
ZOOM_TARGET = 400
PUBLISHED = Counts(photos=722, objects=800)  # a photo has a file per object
