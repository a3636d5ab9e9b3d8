"""`ritm-edge data check`: what it recognises, what it counts, what it complains about."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.data.check import check_folder, recognise
from ritm_edge.errors import InputFileError, UsageError

from ..paths import EVAL_DATA, requires_data
from .test_data import write
from .test_data_instances import make_sbd, make_voc, objects

MASK = np.full((6, 8, 3), 255, np.uint8)


def make_pairs(root: Path, images: str, masks: str, count: int) -> Path:
    for index in range(count):
        photo = np.full((6, 8, 3), index % 256, np.uint8)
        write(root / images / f"{index:04}.png", photo)
        write(root / masks / f"{index:04}.png", MASK)
    return root


@requires_data
@pytest.mark.parametrize(("name", "photos", "count"), [("GrabCut", 50, 50), ("Berkeley", 96, 100)])
def test_the_published_benchmarks_are_sound(name: str, photos: int, count: int) -> None:
    report = check_folder(EVAL_DATA / name)
    assert (report.benchmark, report.photos, report.objects) == (name, photos, count)
    assert report.problems == ()
    assert (report.ignored_pixels > 0) == (name == "GrabCut")


def test_layouts_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "voc").mkdir()
    assert recognise(make_sbd(tmp_path / "s" / "dataset").parent).BENCHMARK == "SBD"
    assert recognise(make_voc(tmp_path / "voc", objects(1))).BENCHMARK == "PascalVOC"
    pairs = {
        "a": ("data_GT", "boundary_GT", 2, "GrabCut"),
        "davis_copy": ("img", "gt", 2, "DAVIS"),
        "COCO_MVal": ("img", "gt", 2, "COCO_MVal"),
        "b": ("img", "gt", 345, "DAVIS"),
        "c": ("images", "masks", 2, "Folder"),
        "d": ("images", "masks", 100, "Berkeley"),
        "Berkeley": ("images", "masks", 2, "Berkeley"),
    }
    for folder, (images, masks, count, expected) in pairs.items():
        root = make_pairs(tmp_path / folder, images, masks, count)
        assert expected == recognise(root).BENCHMARK, folder
    with pytest.raises(InputFileError, match=r"layout of no known benchmark .*GrabCut: data_GT"):
        recognise(tmp_path)
    with pytest.raises(InputFileError, match="not a folder"):
        recognise(tmp_path / "nothing")


def test_everything_wrong_is_listed(tmp_path: Path) -> None:
    root = make_pairs(tmp_path, "data_GT", "boundary_GT", 6)
    (root / "boundary_GT" / "0000.png").unlink()
    (root / "data_GT" / "0001.png").write_bytes(b"no image")
    write(root / "boundary_GT" / "0002.png", np.zeros((6, 8, 3), np.uint8))
    write(root / "boundary_GT" / "0003.png", np.full((5, 8, 3), 255, np.uint8))
    report = check_folder(root)
    assert (report.photos, report.objects) == (4, 5)
    expected = ("0000.png has no mask", "0001.png", "0002 has no object", "mask of 0003 5x8")
    for text in (*expected, "4 photos, the published GrabCut has 50", "5 objects"):
        assert sum(text in problem for problem in report.problems) == 1, text
    assert len(report.problems) == 6


def test_the_command_ends_with_4_when_something_is_wrong(tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "mine", "images", "masks", 2)
    for mask in (root / "masks").iterdir():
        write(mask, objects(1, 2)[:6, :8])
    done = CliRunner().invoke(app, ["data", "check", str(root), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["benchmark"], report["photos"], report["objects"]) == ("Folder", 2, 4)
    assert report["ok"]
    done = CliRunner().invoke(app, ["data", "check", str(root), "--as", "berkeley"])
    assert isinstance(done.exception, InputFileError)
    assert done.exception.exit_code == 4
    assert "2 photos, the published Berkeley has 96" in done.output + str(done.exception)
    with pytest.raises(UsageError, match="unknown benchmark 'x'"):
        check_folder(root, "x")
