"""Folders of one's own: which photo belongs to which mask, and that nothing is lost in silence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.data import open_benchmark
from ritm_edge.data.check import check_folder
from ritm_edge.errors import DataWarning, InputFileError, data_warnings
from ritm_edge.evaluation.labelled_photos import folder_objects
from ritm_edge.imaging.images import IMAGE_SUFFIXES
from ritm_edge.train.datasets import find_entries

from ..train.photos import shapes

PHOTO, LABELS = shapes(0)


def write(root: Path, photos: list[str], masks: list[str], labels: np.ndarray = LABELS) -> Path:
    for folder, names, pixels in (("images", photos, PHOTO), ("masks", masks, labels)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(pixels).save(root / folder / name)
    return root


def everything(root: Path) -> tuple[list[str], list[str]]:
    """Stems that every reader finds, in its order, and what each says of the rest."""
    with data_warnings() as of_evaluation:
        samples = open_benchmark("Folder", root).samples
    with data_warnings() as of_calibration:
        objects = folder_objects(root, count=100)
    with data_warnings() as of_training:
        entries = find_entries(("folder",), root.parent)
    found = list(dict.fromkeys(sample.name.split("#")[0] for sample in samples))
    assert set(found) == {sample.name.split("#")[0] for sample in objects}
    assert sorted(found) == sorted(Path(entry.image).stem for entry in entries)
    assert of_evaluation == of_calibration == of_training
    problems = check_folder(root, "Folder").problems
    assert len(problems) == sum(int(text.split()[0]) for text in of_training)
    return found, of_training


@pytest.mark.parametrize("photo_suffix", [*IMAGE_SUFFIXES, ".JPG", ".Png", ".TIFF"])
@pytest.mark.parametrize("mask_suffix", [".png", ".PNG", ".tif", ".bmp", ".Webp"])
def test_all_suffixes_of_photos_and_masks(
    tmp_path: Path, photo_suffix: str, mask_suffix: str
) -> None:
    root = tmp_path / "set"
    write(root, [f"a{photo_suffix}"], [])
    options = {"lossless": True} if mask_suffix == ".Webp" else {}
    Image.fromarray(LABELS).save(root / "masks" / f"a{mask_suffix}", **options)
    assert everything(root) == (["a"], [])
    (entry,) = find_entries(("folder",), tmp_path)
    scene = entry.load(np.random.default_rng(0))
    np.testing.assert_array_equal(scene.layers[..., 0], LABELS)


def test_names_with_dots(tmp_path: Path) -> None:
    root = write(tmp_path / "set", ["a.b.jpg", "a.c.jpg", "a.jpg"], ["a.b.png", "a.c.png", "a.png"])
    assert sorted(everything(root)[0]) == ["a", "a.b", "a.c"]
    names = [sample.name for sample in open_benchmark("Folder", root)]
    assert {"a.b#1", "a.c#2"} <= set(names)


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    root = write(tmp_path / "set", ["a.jpg", "b.jpg"], ["a.png", "c.png"])
    for name in ("x.heic", "y.gif", "z.JP2", "n.npy"):
        (root / "images" / name).write_bytes(b"some camera's")
    (root / "images" / "more").mkdir()
    (root / "images" / "link.png").symlink_to(root / "nowhere.png")
    (root / "images" / "linked.png").symlink_to(root / "images" / "a.jpg")
    # These say nothing of photos.
    for name in ("._a.jpg", ".DS_Store", "Thumbs.db", "README.txt", "a.json"):
        (root / "images" / name).write_bytes(b"")
    found, (text,) = everything(root)
    assert found == ["a"]
    assert text.startswith("9 files are left out: ")
    named = "b.jpg has no mask, linked.png has no mask, c.png has no photo, x.heic, y.gif, z.JP2"
    for name in (*named.split(", "), "n.npy", "more is not read", "link.png leads to no file"):
        assert name in text, name
    for name in ("._a", "DS_Store", "Thumbs", "README", "json"):
        assert name not in text


def test_the_first_ten_are_named(tmp_path: Path) -> None:
    photos = [f"{number:02}.jpg" for number in range(15)]
    root = write(tmp_path / "set", photos, ["00.png"])
    _, (text,) = everything(root)
    assert text.startswith("14 files are left out: ")
    assert "10.jpg has no mask" in text
    assert "11.jpg" not in text
    assert text.endswith("; and 4 more.")


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_two_files_of_one_stem_are_refused(tmp_path: Path, folder: str) -> None:
    root = write(tmp_path / "set", ["a.jpg"], ["a.png"])
    pixels = PHOTO if folder == "images" else LABELS
    Image.fromarray(pixels).save(root / folder / "a.tif")
    first = "a.jpg" if folder == "images" else "a.png"
    for read in (
        lambda: open_benchmark("Folder", root),
        lambda: folder_objects(root, count=1),
        lambda: find_entries(("folder",), tmp_path),
    ):
        with pytest.raises(InputFileError, match=f"{folder} has both {first} and a.tif: remove"):
            read()
    assert f"both {first} and a.tif" in check_folder(root, "Folder").problems[0]


def test_folders_without_a_counterpart(tmp_path: Path) -> None:
    root = write(tmp_path / "set", ["a.jpg"], ["a.png"])
    (tmp_path / "photos_only" / "images").mkdir(parents=True)
    (tmp_path / "masks_only" / "masks").mkdir(parents=True)
    with pytest.warns(DataWarning, match="2 files are left out") as caught:
        assert len(find_entries(("folder",), tmp_path)) == 1
    assert "photos_only/images has no folder masks" in str(caught[0].message)
    assert "masks_only/masks has no folder images" in str(caught[0].message)
    (root / "masks" / "a.png").unlink()  # an empty folder of masks
    for read in (
        lambda: open_benchmark("Folder", root),
        lambda: folder_objects(root, count=1),
        lambda: find_entries(("folder",), tmp_path),
    ):
        with data_warnings(), pytest.raises(InputFileError, match=r"no photo with|no training"):
            read()
    problems = check_folder(root, "Folder").problems
    assert any("a.jpg has no mask" in text for text in problems)


def test_masks_of_all_kinds_are_objects_of_a_folder(tmp_path: Path) -> None:
    root = write(tmp_path / "set", ["ids.jpg", "many.jpg"], ["ids.png"])
    many = LABELS.astype(np.uint16) * 300
    Image.fromarray(many).save(root / "masks" / "many.png")
    for name, pixels in (
        ("binary", (LABELS > 0) * np.uint8(255)),
        ("trimap", np.select([LABELS == 1, LABELS == 2], [255, 128]).astype(np.uint8)),
        ("alpha", np.dstack([PHOTO // 8, (LABELS == 1) * np.uint8(255)])),
    ):
        Image.fromarray(PHOTO).save(root / "images" / f"{name}.jpg")
        Image.fromarray(pixels).save(root / "masks" / f"{name}.png")
    names = [sample.name for sample in open_benchmark("Folder", root)]
    assert names == ["alpha#1", "binary#1", "ids#1", "ids#2", "many#300", "many#600", "trimap#1"]
    entries = {
        Path(e.image).stem: e.load(np.random.default_rng(0))
        for e in find_entries(("folder",), tmp_path)
    }
    counts = {name: len(scene.objects) for name, scene in entries.items()}
    assert counts == {"alpha": 1, "binary": 1, "ids": 2, "many": 2, "trimap": 1}
    np.testing.assert_array_equal(entries["binary"].mask(0), LABELS > 0)
    np.testing.assert_array_equal(entries["many"].mask(1), LABELS == 2)
    np.testing.assert_array_equal(entries["trimap"].ignored, LABELS == 2)
    report = check_folder(root)
    assert report.problems == ()
    assert len(report.notes) == 3
    for kind, name in (("an alpha channel", "alpha"), ("a binary mask", "binary")):
        (note,) = [text for text in report.notes if f"as {kind} " in text]
        assert "with one object each (1 of the masks; warning: " in note
        assert "2 others are label maps, where 255 is not an object" in note
        assert f"{name}.png" in note


def test_a_folder_of_binary_masks_is_sound_and_says_how_it_is_read(tmp_path: Path) -> None:
    root = write(
        tmp_path / "mine", ["a.jpg", "b.jpg"], ["a.png", "b.png"], (LABELS > 0) * np.uint8(255)
    )
    done = CliRunner().invoke(app, ["data", "check", str(root), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["objects"] == 2
    assert report["notes"] == [
        "read as a binary mask with one object each (2 of the masks): a.png, b.png"
    ]


def test_a_mask_without_a_photo_fails_the_check(tmp_path: Path) -> None:
    root = write(tmp_path / "mine", ["a.jpg"], ["a.png", "b.png"])
    done = CliRunner().invoke(app, ["data", "check", str(root)])
    assert getattr(done.exception, "exit_code", 0) == 4
    assert "b.png has no photo" in done.output + str(done.exception)


@pytest.mark.parametrize("layout", [("data_GT", "boundary_GT"), ("img", "gt")])
def test_official_layouts_keep_the_text_before_the_first_dot(
    tmp_path: Path, layout: tuple[str, str]
) -> None:
    for folder, name in zip(layout, ("a.photo.png", "a.mask.png"), strict=True):
        (tmp_path / folder).mkdir()
        Image.fromarray((LABELS > 0) * np.uint8(255)).save(tmp_path / folder / name)
    name = "GrabCut" if layout[0] == "data_GT" else "DAVIS"
    assert [sample.name for sample in open_benchmark(name, tmp_path)] == ["a"]
    Image.fromarray(LABELS).save(tmp_path / layout[1] / "b.png")
    with pytest.warns(DataWarning, match=r"1 file is left out: .*b\.png has no photo"):
        assert len(open_benchmark(name, tmp_path)) == 1
    problems = check_folder(tmp_path, name).problems
    assert sum("b.png has no photo" in text for text in problems) == 1


def test_coco_mval_has_a_file_for_each_object_of_a_photo(tmp_path: Path) -> None:
    """722 photos in 800 files, as the published archive: some photos come under several names."""
    root = tmp_path / "COCO_MVal"
    mask = np.full((4, 5), 255, np.uint8)
    for folder in ("img", "gt"):
        (root / folder).mkdir(parents=True)
    for number in range(800):
        photo = np.full((4, 5, 3), number % 722 // 256, np.uint8)
        photo[0, 0] = number % 722 % 256
        cv2.imwrite(str(root / "img" / f"{number:03}.png"), photo)
        cv2.imwrite(str(root / "gt" / f"{number:03}.png"), mask)
    report = check_folder(root)
    assert (report.benchmark, report.photos, report.objects) == ("COCO_MVal", 722, 800)
    assert report.problems == ()
    cv2.imwrite(str(root / "img" / "000.png"), np.full((4, 5, 3), 99, np.uint8))
    assert "has 723 photos, the published COCO_MVal has 722" in check_folder(root).problems[0]


def test_a_damaged_photo_is_noted_and_not_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "mine", ["a.jpg", "b.jpg"], ["a.png", "b.png"])
    path = root / "images" / "b.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:-300] + b"\xff\xd3" + content[-300:])
    report = check_folder(root)
    assert report.problems == ()
    assert [text for text in report.notes if "may be damaged" in text] == list(report.notes)
    assert "b.jpg may be damaged (Corrupt JPEG data" in report.notes[0]


def test_commands_print_what_is_left_out_as_one_line(tmp_path: Path) -> None:
    root = write(tmp_path / "set", ["a.jpg", "b.jpg"], ["a.png"])
    code = "from ritm_edge.cli.main import main; main()"
    command = [sys.executable, "-c", code, "bench", "noc", "--data", f"Folder={root}"]
    options = ["--max-clicks", "1", "--limit", "1"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=True, env=os.environ
    )
    lines = [line for line in done.stderr.splitlines() if "left out" in line]
    assert len(lines) == 1
    assert lines[0].startswith("warning: 1 file is left out: ")
    assert "b.jpg has no mask" in lines[0]
