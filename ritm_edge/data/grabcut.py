"""GrabCut: 50 photos with trimaps; `data_GT/NAME.*` and `boundary_GT/NAME.bmp`."""

from pathlib import Path

from .base import Counts, Raise, Sample, paired_samples, read_trimap, report_by_raising

BENCHMARK = "GrabCut"
ZOOM_TARGET = 400
LAYOUT = ("data_GT", "boundary_GT")
PUBLISHED = Counts(photos=50, objects=50)


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`."""
    return paired_samples(root / "data_GT", root / "boundary_GT", read_trimap, report)
