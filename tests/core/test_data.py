import pickle
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from ritm_edge.data import open_benchmark, readers
from ritm_edge.errors import ImageError, InputFileError, UsageError

from ..golden_files import load_json
from ..paths import EVAL_DATA, requires_data, requires_whole_golden


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def small_benchmark(root: Path, images: str, masks: str, mask: np.ndarray) -> Path:
    write(root / images / "b.jpg", np.full((4, 6, 3), 90, np.uint8))
    write(root / images / "a.png", np.full((4, 6, 3), (10, 20, 30), np.uint8))
    write(root / masks / "a.png", mask)
    write(root / masks / "b.bmp", mask)
    return root


@requires_whole_golden
@requires_data
@pytest.mark.parametrize("name", ["GrabCut", "Berkeley"])
def test_every_published_mask_is_reproduced(name: str) -> None:
    expected = load_json("datasets.json")[name]
    benchmark = open_benchmark(name, EVAL_DATA / name)
    assert len(benchmark) == len(expected)
    for sample, (image_name, height, width, objects, ignored, checksum) in zip(
        benchmark, expected, strict=True
    ):
        image, truth = sample.load()
        assert image.shape == (height, width, 3)
        # Some copies of Berkeley repeat a photo for each of its objects, others do not.
        assert image_name == sample.name + sample.image_path.suffix
        assert ((truth == 1).sum(), (truth == -1).sum()) == (objects, ignored)
        assert zlib.crc32(truth.astype(np.int8).tobytes()) == checksum


@requires_data
def test_photos_are_decoded_as_opencv_does() -> None:
    """The published evaluator decodes with OpenCV; ours must give it the same pixels."""
    for name in ("GrabCut", "Berkeley"):
        for sample in list(open_benchmark(name, EVAL_DATA / name))[::7]:
            expected = cv2.imread(str(sample.image_path))[:, :, ::-1]
            assert np.array_equal(sample.load()[0], expected), sample.image_path


def test_trimap_values(tmp_path: Path) -> None:
    mask = np.zeros((4, 6, 3), np.uint8)
    mask[0, :4] = [[0] * 3, [128] * 3, [129] * 3, [255] * 3]
    mask[1, 0] = (255, 0, 0)  # blue comes first in OpenCV's order
    mask[1, 1] = (0, 255, 255)
    root = small_benchmark(tmp_path, "data_GT", "boundary_GT", mask)
    image, truth = open_benchmark("grabcut", root).samples[0].load()
    assert truth.dtype == np.int32
    assert truth[0, :4].tolist() == [0, -1, 1, 1]
    assert truth[1, :2].tolist() == [1, 0]
    assert image[0, 0].tolist() == [30, 20, 10]  # RGB


@pytest.mark.parametrize("name", ["DAVIS", "COCO_MVal"])
def test_any_colour_is_object_and_128_is_not_ignored(tmp_path: Path, name: str) -> None:
    mask = np.zeros((4, 6, 3), np.uint8)
    mask[0, :3] = [[0, 0, 1], [128, 128, 128], [0, 255, 0]]
    benchmark = open_benchmark(name, small_benchmark(tmp_path, "img", "gt", mask))
    assert [s.name for s in benchmark] == ["a", "b"]
    truth = benchmark.samples[1].load()[1]
    assert truth.sum() == 3
    assert truth[0, :3].tolist() == [1, 1, 1]
    assert benchmark.zoom_target == (600 if name == "DAVIS" else 400)


def test_berkeley_objects_share_a_photo(tmp_path: Path) -> None:
    mask = np.full((4, 6, 3), 255, np.uint8)
    root = small_benchmark(tmp_path, "images", "masks", mask)
    write(root / "masks" / "bb.png", mask)
    samples = open_benchmark("Berkeley", root).samples
    assert [s.name for s in samples] == ["a", "b", "bb"]
    assert samples[2].image_path == samples[1].image_path
    write(root / "masks" / "c.png", mask)
    with pytest.raises(InputFileError, match=r"c\.png has no photo"):
        open_benchmark("Berkeley", root)


def test_names() -> None:
    assert {"Berkeley", "COCO_MVal", "DAVIS", "GrabCut"} <= set(readers())
    with pytest.raises(UsageError, match="unknown benchmark 'nothing'"):
        open_benchmark("nothing", ".")


def test_missing_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="boundary_GT is not a folder"):
        open_benchmark("GrabCut", tmp_path)
    root = small_benchmark(tmp_path, "data_GT", "boundary_GT", np.zeros((4, 6, 3), np.uint8))
    (root / "boundary_GT" / "b.bmp").unlink()
    with pytest.raises(InputFileError, match=r"b\.jpg has no mask"):
        open_benchmark("GrabCut", root)
    (root / "boundary_GT" / "a.png").unlink()
    with pytest.raises(InputFileError, match="has no images"):
        open_benchmark("GrabCut", root)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    root = small_benchmark(tmp_path, "data_GT", "boundary_GT", np.zeros((4, 6, 3), np.uint8))
    write(root / "data_GT" / "a.bmp", np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(InputFileError, match=r"both a\.bmp and a\.png"):
        open_benchmark("GrabCut", root)


@pytest.mark.parametrize("folder", ["data_GT", "boundary_GT"])
@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_damaged_files_are_refused(tmp_path: Path, folder: str, damage: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    root = tmp_path
    write(root / "data_GT" / "a.jpg", noise)
    write(root / "boundary_GT" / "a.bmp", noise)
    path = next((root / folder).iterdir())
    content = path.read_bytes()
    path.write_bytes(
        {"truncated": content[: len(content) // 2], "text": b"hello", "empty": b""}[damage]
    )
    with pytest.raises(ImageError, match=path.name):
        open_benchmark("GrabCut", root).samples[0].load()


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    mask = np.zeros((5, 6, 3), np.uint8)
    root = small_benchmark(tmp_path, "data_GT", "boundary_GT", mask)
    with pytest.raises(ImageError, match=r"4x6 \(HxW\), its mask 5x6"):
        open_benchmark("GrabCut", root).samples[0].load()


def test_samples_can_be_pickled(tmp_path: Path) -> None:
    """Workers of another process get them that way."""
    mask = np.full((4, 6, 3), 255, np.uint8)
    root = small_benchmark(tmp_path, "img", "gt", mask)
    sample = pickle.loads(pickle.dumps(open_benchmark("DAVIS", root).samples[0]))
    assert sample.load()[1].all()
