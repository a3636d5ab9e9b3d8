"""DAVIS: 345 frames; `img/NAME.*` and `gt/NAME.*`, every coloured pixel is the object."""

from pathlib import Path

from .base import Sample, paired_samples, read_any_channel_mask

BENCHMARK = "DAVIS"
ZOOM_TARGET = 600  # frames are larger than the photos of the other sets


def find_samples(root: Path) -> list[Sample]:
    """See `open_benchmark`."""
    return paired_samples(root / "img", root / "gt", read_any_channel_mask)
