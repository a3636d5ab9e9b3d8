"""SBD (Semantic Boundaries), val: one sample per object; `img/`, `inst/NAME.mat` and `val.txt`."""

from pathlib import Path

from .base import Counts, Raise, Sample, report_by_raising
from .instances import folder_with, instance_samples, read_mat, read_names

BENCHMARK = "SBD"
ZOOM_TARGET = 400
LAYOUT = ("img", "inst", "val.txt")
PUBLISHED = Counts(photos=2820, objects=6671)
# Where the release has these folders.
BELOW = ("dataset", "benchmark_RELEASE/dataset")


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`; nothing is ignored."""
    root = folder_with(root, LAYOUT[0], *BELOW)
    samples: list[Sample] = []
    for name in read_names(root / "val.txt"):
        samples += instance_samples(
            name,
            root / "img" / f"{name}.jpg",
            root / "inst" / f"{name}.mat",
            read_mat,
            None,
            report,
        )
    return samples
