"""Every reader on a small data set in its official layout, and on a damaged one."""

import json
from pathlib import Path

import numpy as np
import pytest

from ritm_edge.errors import DatasetError, InputFileError
from ritm_edge.train.dataset import ClickDataset
from ritm_edge.train.datasets import dataset_names, find_entries
from ritm_edge.train.recipes import load_recipe
from ritm_edge.train.scene import Scene, roots
from ritm_edge.train.settings import override

from ..paths import TRAIN_DATA, requires_data
from . import official_layouts as layouts
from .photos import small_config

RNG = np.random.default_rng(0)


def load(name: str, root: Path) -> list[Scene]:
    return [entry.load(RNG) for entry in find_entries((name,), root)]


def assert_objects(scene: Scene, seed: int, *, tolerance: float = 1.0) -> None:
    """The scene's objects are the disk and the box of `layouts.scene`."""
    photo, labels = layouts.scene(seed)
    assert np.abs(scene.photo.astype(int) - photo).mean() < 8  # JPEG
    masks = sorted((scene.mask(i) for i in roots(scene)), key=lambda m: np.flatnonzero(m)[0] % 96)
    assert len(masks) == 2
    for mask, label in zip(masks, (1, 2), strict=True):
        truth = labels == label
        assert (mask & truth).sum() / (mask | truth).sum() >= tolerance


def test_sbd(tmp_path):
    layouts.write_sbd(tmp_path / "benchmark_RELEASE" / "dataset", {"train": [1, 2], "val": [3]})
    scenes = load("sbd", tmp_path)
    assert len(scenes) == 2
    for seed, scene in zip((1, 2), scenes, strict=True):
        assert_objects(scene, seed)
        assert scene.ignored is None


def test_a_damaged_mat_file_is_named(tmp_path):
    layouts.write_sbd(tmp_path, {"train": [1], "val": [2]})
    mat = tmp_path / "inst" / "2008_000001.mat"
    content = mat.read_bytes()
    for damage in (content[:300], b"", b"MATLAB 5.0 nothing", content[:-40]):
        mat.write_bytes(damage)
        with pytest.raises(InputFileError, match=r"2008_000001\.mat"):
            load("sbd", tmp_path)


def test_pascal_voc_ignores_the_contours(tmp_path):
    layouts.write_voc(tmp_path / "VOCdevkit" / "VOC2012", {"train": [1, 2], "val": [3]})
    scenes = load("pascal-voc", tmp_path)
    assert len(scenes) == 2
    for seed, scene in zip((1, 2), scenes, strict=True):
        assert_objects(scene, seed)
        assert scene.ignored is not None
        assert 50 < scene.ignored.sum() < 1000
        assert not scene.layers.any(axis=2)[scene.ignored].any()


def test_pascal_voc_with_sbd_takes_each_photo_once_and_no_val(tmp_path):
    layouts.write_voc(tmp_path / "VOC2012", {"train": [1, 2], "val": [3]})
    layouts.write_sbd(tmp_path / "SBD", {"train": [1, 4], "val": [3, 5]})
    entries = find_entries(("pascal-voc-sbd",), tmp_path)
    names = [(e.set_name, Path(e.image).stem[-1]) for e in entries]
    voc, sbd = "pascal-voc/train", "sbd/train+val"
    assert names == [(voc, "1"), (voc, "2"), (sbd, "4"), (sbd, "5")]


def test_coco_instances(tmp_path):
    layouts.write_coco_instances(tmp_path / "coco", [1, 2])
    scenes = load("coco", tmp_path)
    assert len(scenes) == 2
    for seed, scene in zip((1, 2), scenes, strict=True):
        assert_objects(
            scene, seed, tolerance=0.85
        )  # polygons through pixel centres lose half a pixel all around
        assert scene.ignored is not None
        assert scene.ignored[:6, :10].all()
        assert scene.ignored.sum() == 60


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[1, 2, 3]],
        [[1, 2, 3, 4, 5, float("1e30")]],
        {"size": [72, 96], "counts": [1, 2, 3]},
        {"size": [72, 96], "counts": [-72 * 96, 2 * 72 * 96]},
        {"size": [9, 9], "counts": [81]},
        {"size": [72, 96], "counts": "zzzz"},
        {"size": [72, 96], "counts": "11"},
        {"size": [72, 96], "counts": "\u00ff"},
        {"counts": "11"},
        {"size": [72, 96], "counts": 10**13},
        {"size": [72, 96], "counts": None},
        "polygon",
    ],
)
def test_a_broken_annotation_is_left_out_and_named(tmp_path, segmentation):
    layouts.write_coco_instances(tmp_path, [1])
    path = tmp_path / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = segmentation
    path.write_text(json.dumps(content))
    (scene,) = load("coco", tmp_path)
    assert len(scene.objects) == 1
    (problem,) = scene.problems
    assert problem.startswith("annotation 1 of ")
    assert "000000000001.jpg" in problem


def test_coco_panoptic_offers_stuff(tmp_path):
    layouts.write_coco_instances(tmp_path, [1])
    layouts.write_panoptic(tmp_path, [1, 2])
    scenes = load("coco", tmp_path)
    assert len(scenes) == 2
    for scene in scenes:
        assert sorted(item.stuff for item in scene.objects) == [False, False, True]
        assert scene.layers.shape[2] == 1
        assert scene.layers.all()
        assert not scene.problems


@pytest.mark.parametrize("where", ["lvis", "coco", "annotations"])
def test_lvis(tmp_path, where):
    folder = {"lvis": "lvis", "coco": "coco", "annotations": "lvis/annotations"}[where]
    photos = "lvis" if where == "annotations" else "coco"
    layouts.write_lvis(tmp_path / folder, tmp_path / photos, [1, 2])
    scenes = load("lvis", tmp_path)
    assert len(scenes) == 2
    for seed, scene in zip((1, 2), scenes, strict=True):
        assert_objects(scene, seed, tolerance=0.85)


def test_ade20k_has_objects_and_parts(tmp_path):
    layouts.write_ade20k(tmp_path / "ADE20K_2016_07_26", [1])
    (entry,) = find_entries(("ade20k",), tmp_path)
    rng = np.random.default_rng(0)
    found = {}
    for _ in range(30):
        scene = entry.load(rng)
        found[len(scene.objects)] = scene
    assert set(found) == {1, 2}
    assert_objects(found[2], 1)
    assert [item.stuff for item in found[2].objects] == [True, False]
    assert not found[1].objects[0].stuff  # number 1 of the parts is a leg, not the sky
    _, labels = layouts.scene(1)
    assert (labels[found[1].mask(0)] == 2).all()


@pytest.mark.parametrize("folder", ["train-masks", "train-masks-{}", "train-masks/train-masks-{}"])
def test_openimages(tmp_path, folder):
    layouts.write_openimages(tmp_path / "OpenImages", [1, 2], folder=folder)
    scenes = load("openimages", tmp_path)
    assert len(scenes) == 2
    for seed, scene in zip((1, 2), scenes, strict=True):
        assert_objects(scene, seed)


def test_a_missing_openimages_mask_is_named(tmp_path):
    layouts.write_openimages(tmp_path, [1])
    gone = next((tmp_path / "train-masks").glob("*_m01.png"))
    gone.unlink()
    (scene,) = load("openimages", tmp_path)
    assert len(scene.objects) == 1
    assert gone.name in scene.problems[0]


@pytest.mark.parametrize("name", [n for n in dataset_names() if n != "folder"])
def test_a_data_set_that_is_not_there_says_what_it_looked_for(tmp_path, name):
    with pytest.raises(DatasetError) as caught:
        find_entries((name,), tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "--data-root" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"images": 5}', "[" * 100_000, '{"annotations"'])
def test_annotations_that_are_not_coco_are_refused(tmp_path, text):
    layouts.write_coco_instances(tmp_path, [1])
    (tmp_path / "annotations" / "instances_train2017.json").write_text(text)
    with pytest.raises(DatasetError, match=r"instances_train2017\.json.*download it again"):
        load("coco", tmp_path)
    (tmp_path / "annotations" / "panoptic_train2017.json").write_text(text)
    with pytest.raises(DatasetError, match=r"panoptic_train2017\.json.*download it again"):
        load("coco", tmp_path)


def test_several_sets_are_joined_and_sampled(tmp_path):
    layouts.write_panoptic(tmp_path / "coco", [1, 2])
    layouts.write_sbd(tmp_path / "SBD", {"train": [3], "val": [4]})
    entries = find_entries(("coco", "sbd"), tmp_path)
    assert [e.set_name for e in entries] == ["coco/panoptic_train2017"] * 2 + ["sbd/train"]
    config = small_config(
        **{"augmentation.kind": "published"}, crop=(48, 64), steps=15, epochs=1, batch_size=2
    )
    samples = ClickDataset(entries, config, start=0)
    filled = sum(bool((samples[index]["labels"] == 1).any()) for index in range(30))
    assert filled >= 20


@requires_data
def test_the_real_photos_at_hand_are_read_without_a_problem():
    entries = find_entries(("folder",), TRAIN_DATA)
    photos = {entry.image for entry in entries}
    assert len(photos) == 6718
    by_set = {entry.set_name: entry for entry in entries}
    assert len(by_set) == 20
    for entry in by_set.values():
        scene = entry.load(RNG)
        assert scene.objects
        assert max(scene.photo.shape) <= 432
    changes = ["data.datasets=folder", "schedule.steps=2", "augmentation.crop=160x224"]
    for recipe in ("hrnet18s-cocolvis-iterm", "hrnet18s-small-crops"):
        samples = ClickDataset(entries, override(load_recipe(recipe), changes), start=0)
        for index in range(len(samples) // 2):
            sample, problems = samples.draw(index)
            assert not problems
            assert sample["image"].shape == (3, 160, 224)
            assert sample["clicks"][:, 2].max() == 100
