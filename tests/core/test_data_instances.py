"""Readers of maps of several objects, on data made here in the official layouts."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ritm_edge.data import open_benchmark
from ritm_edge.errors import ImageError, InputFileError

from .test_data import write

SIZE = (12, 20)


def objects(*values: int) -> np.ndarray:
    """A map with a 3×3 square of each value."""
    labels = np.zeros(SIZE, np.uint8)
    for index, value in enumerate(values):
        labels[2 + index : 5 + index, 1 + 4 * index : 4 + 4 * index] = value
    return labels


def write_mat(path: Path, labels: np.ndarray) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = np.array([[1], [15]], np.uint8)
    savemat(path, {"GTinst": {"Segmentation": labels, "Categories": categories}})


def make_sbd(root: Path) -> Path:
    for name, labels in (("2008_2", objects(2, 1)), ("2008_1", objects(3)), ("train", objects(1))):
        write(root / "img" / f"{name}.jpg", np.full((*SIZE, 3), 90, np.uint8))
        write_mat(root / "inst" / f"{name}.mat", labels)
    (root / "val.txt").write_text("2008_2\n2008_1\n")
    return root


def palette() -> list[int]:
    """Pascal VOC's: the bits of the index, dealt to red, green and blue from the top."""
    colours = []
    for index in range(256):
        bits = [(index >> bit) & 1 for bit in range(8)]
        colours += [
            sum(bits[3 * k + c] << (7 - k) for k in range(3) if 3 * k + c < 8) for c in range(3)
        ]
    return colours


def make_voc(root: Path, labels: np.ndarray) -> Path:
    write(root / "JPEGImages" / "a.jpg", np.full((*SIZE, 3), 90, np.uint8))
    image = Image.fromarray(labels, mode="P")
    image.putpalette(palette())
    (root / "SegmentationObject").mkdir()
    image.save(root / "SegmentationObject" / "a.png")
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    return root


@pytest.mark.parametrize("below", ["", "dataset", "benchmark_RELEASE/dataset"])
def test_sbd_gives_one_sample_per_object_in_the_order_of_the_list(
    tmp_path: Path, below: str
) -> None:
    make_sbd(tmp_path / below)
    benchmark = open_benchmark("SBD", tmp_path)
    assert [s.name for s in benchmark] == ["2008_2#1", "2008_2#2", "2008_1#3"]
    image, truth = pickle.loads(pickle.dumps(benchmark.samples[1])).load()
    assert image.shape == (*SIZE, 3)
    assert np.array_equal(truth, objects(1, 0).astype(np.int32))
    assert benchmark.zoom_target == 400


@pytest.mark.parametrize("content", [b"", b"hello", b"MATLAB 5.0" + bytes(300)])
def test_a_damaged_mat_file_is_named(tmp_path: Path, content: bytes) -> None:
    root = make_sbd(tmp_path)
    (root / "inst" / "2008_1.mat").write_bytes(content)
    with pytest.raises(ImageError, match=r"2008_1\.mat"):
        open_benchmark("SBD", root)
    savemat = pytest.importorskip("scipy.io").savemat
    savemat(root / "inst" / "2008_1.mat", {"GTcls": {"Segmentation": objects(1)}})
    with pytest.raises(ImageError, match=r"no GTinst\.Segmentation"):
        open_benchmark("SBD", root)


def test_lists_and_files_that_are_missing_are_named(tmp_path: Path) -> None:
    root = make_sbd(tmp_path)
    (root / "inst" / "2008_1.mat").unlink()
    with pytest.raises(InputFileError, match=r"2008_1\.mat does not exist"):
        open_benchmark("SBD", root)
    (root / "val.txt").write_text(" \n")
    with pytest.raises(InputFileError, match="names no photo"):
        open_benchmark("SBD", root)
    (root / "val.txt").unlink()
    with pytest.raises(InputFileError, match=r"val\.txt"):
        open_benchmark("SBD", root)


@pytest.mark.parametrize("below", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_voc_ignores_the_contours(tmp_path: Path, below: str) -> None:
    labels = objects(1, 2, 5)
    labels[0] = 255
    root = tmp_path / below
    root.mkdir(parents=True, exist_ok=True)
    make_voc(root, labels)
    samples = open_benchmark("pascalvoc", tmp_path).samples
    # Published: objects are known by the grey of their colours, in rising order.
    assert [s.name for s in samples] == ["a#38", "a#53", "a#75"]
    for sample, value in zip(samples, (1, 5, 2), strict=True):
        truth = sample.load()[1]
        assert np.array_equal(truth == 1, labels == value)
        assert np.array_equal(truth == -1, labels == 255)


def test_colours_of_one_grey_are_one_object_as_published(tmp_path: Path) -> None:
    root = make_voc(tmp_path, objects(1, 16, 3))
    assert [s.name for s in open_benchmark("PascalVOC", root)] == ["a#38", "a#113"]


def test_our_own_folders(tmp_path: Path) -> None:
    labels = objects(7, 255, 2)
    write(tmp_path / "images" / "x.jpg", np.full((*SIZE, 3), 90, np.uint8))
    write(tmp_path / "masks" / "x.png", labels)
    samples = open_benchmark("Folder", tmp_path).samples
    assert [s.name for s in samples] == ["x#2", "x#7"]
    truth = samples[1].load()[1]
    assert np.array_equal(truth == 1, labels == 7)
    assert np.array_equal(truth == -1, labels == 255)
    assert cv2.imwrite(str(tmp_path / "masks" / "x.png"), (labels > 0).astype(np.uint8) * 255)
    (sample,) = open_benchmark("Folder", tmp_path).samples
    assert np.array_equal(sample.load()[1] == 1, labels > 0)
    write(tmp_path / "masks" / "x.png", np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(ImageError, match="no object in it"):
        open_benchmark("Folder", tmp_path)
