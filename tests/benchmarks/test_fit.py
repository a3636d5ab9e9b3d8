"""`bench fit`: what is compared, and that the reference is the published session itself."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks.fit import ALTERNATIVES, Alternative, compare_fits
from ritm_edge.benchmarks.fit_table import fit_table
from ritm_edge.cli.main import app
from ritm_edge.data import Benchmark, Sample
from ritm_edge.errors import UsageError
from ritm_edge.io_spec import IOSpec
from ritm_edge.session.zoom_in import Roi
from ritm_edge.tables import UNMEASURED

from ..core.blob_runtime import BlobRuntime, photo

SIZE = (120, 240)


class Bar(Sample):
    """A bar that takes several of `BlobRuntime`'s disks."""

    def __init__(self, name: str, *, left: int = 60) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "left", left)

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        truth = np.zeros(SIZE, np.int32)
        truth[40:70, self.left : self.left + 120] = 1  # type: ignore[attr-defined]
        return photo(*SIZE), truth


def benchmark(count: int = 2) -> Benchmark:
    return Benchmark("Bars", tuple(Bar(str(i), left=40 + 20 * i) for i in range(count)), 240)


@pytest.fixture
def runtime() -> BlobRuntime:
    return BlobRuntime(radius=12)


def test_the_nearest_shape_is_taken() -> None:
    shapes = Alternative("", "stretch", ((400, 400), (272, 400), (400, 272), (176, 400)))
    assert shapes.size_for(Roi(0, 99, 0, 99)) == (400, 400)
    assert shapes.size_for(Roi(0, 99, 0, 149)) == (272, 400)
    assert shapes.size_for(Roi(0, 149, 0, 99)) == (400, 272)
    assert shapes.size_for(Roi(0, 9, 0, 999)) == (176, 400)


def test_the_view_of_the_reference_itself_differs_in_nothing(runtime: BlobRuntime) -> None:
    """A graph of the photo's size: on whole photos that is what the reference sees."""
    same = Alternative("same", "stretch", (SIZE,))
    tiny = Alternative("tiny", "stretch", ((32, 32),))
    report = compare_fits(runtime, benchmark(), clicks=(1, 2), alternatives=(same, tiny))
    exact, coarse = report["alternatives"]
    assert exact["difference"]["whole"] == {"mean": 0.0, "interval": [0.0, 0.0], "steps": 2}
    assert coarse["difference"]["whole"]["mean"] != 0
    assert coarse["agreement"] < exact["agreement"]
    assert report["objects"] == 2
    assert report["reference"]["whole"] > 0


def test_zoomed_clicks_are_told_from_whole_photos(runtime: BlobRuntime) -> None:
    seen = []
    report = compare_fits(
        runtime,
        benchmark(),
        clicks=(1, 3),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]
    for entry, alternative in zip(report["alternatives"], ALTERNATIVES, strict=True):
        assert entry["name"] == alternative.name
        steps = {group: each and each["steps"] for group, each in entry["difference"].items()}
        assert steps == {"whole": 2, "zoomed": 2, "all": 4}
    table = fit_table(report)
    assert table.count("\n") == 2 + len(ALTERNATIVES) + 2
    assert "4 clicks of 2 objects of Bars" in table


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="takes one size only"):
        compare_fits(BlobRuntime(IOSpec(96, 96)), benchmark())
    done = CliRunner().invoke(app, ["bench", "fit"])
    assert isinstance(done.exception, UsageError)
    assert "no benchmark" in str(done.exception)


def test_what_was_not_seen_is_left_open(runtime: BlobRuntime) -> None:
    report = compare_fits(runtime, benchmark(1), clicks=(1,))
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text)["reference"]["zoomed"] is None
    assert report["alternatives"][0]["difference"]["zoomed"] is None
    assert f"| {UNMEASURED} |" in fit_table(report)
