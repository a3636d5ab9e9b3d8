"""GrabCut: 50 photos with trimaps; `data_GT/NAME.*` and `boundary_GT/NAME.bmp`."""

from pathlib import Path

from .base import Sample, paired_samples, read_trimap

BENCHMARK = "GrabCut"
ZOOM_TARGET = 400


def find_samples(root: Path) -> list[Sample]:
    """See `open_benchmark`."""
    return paired_samples(root / "data_GT", root / "boundary_GT", read_trimap)
