"""COCO+LVIS from official layouts to scenes: complete, resumable, and refused when damaged."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from ritm_edge.cli.data_coco_lvis import command
from ritm_edge.errors import DatasetError, OutputFileError, TrainingError, UsageError
from ritm_edge.train.coco_lvis.build import combine
from ritm_edge.train.coco_lvis.rule import IMPLEMENTATION, PAPER
from ritm_edge.train.coco_lvis.store import Annotation, Writer, read_annotation, read_names
from ritm_edge.train.dataset import choose_stuff
from ritm_edge.train.datasets import find_entries
from ritm_edge.train.scene import Scene, roots

from ..golden_files import load_arrays, load_json
from .official_layouts import (
    save_photo,
    save_pixels,
    scene,
    write_coco_instances,
    write_lvis,
    write_panoptic,
)

FILE = "coco_lvis_train.sqlite"
app = typer.Typer()
app.command()(command)


def write_golden(root: Path) -> Path:
    """The inputs of the published run, in the official layouts, below `root`."""
    golden, arrays = load_json("coco_lvis.json"), load_arrays("coco_lvis.npz")
    coco = root / "coco"
    panoptic, images, annotations = [], [], []
    for number, (name, image) in enumerate(golden["images"].items()):
        ids = arrays[f"in/{name}/panoptic"]
        save_photo(coco / "train2017" / f"{name}.jpg", np.zeros((*ids.shape, 3), np.uint8))
        colours = np.dstack([ids % 256, ids // 256 % 256, ids // 65536]).astype(np.uint8)
        save_pixels(coco / "annotations" / "panoptic_train2017" / f"{name}.png", colours)
        panoptic.append({"file_name": f"{name}.png", "segments_info": image["segments"]})
        if image["lvis_polygons"] is None:
            continue
        url = f"http://images.cocodataset.org/train2017/{name}.jpg"
        images.append({"id": number, "coco_url": url})
        annotations += [
            {"id": 100 * number + i, "image_id": number, "segmentation": polygons}
            for i, polygons in enumerate(image["lvis_polygons"])
        ]
    content = {"annotations": panoptic, "categories": golden["categories"]}
    (coco / "annotations" / "panoptic_train2017.json").write_text(json.dumps(content))
    (root / "lvis").mkdir()
    lvis = {"images": images, "annotations": annotations}
    (root / "lvis" / "lvis_v1_train.json").write_text(json.dumps(lvis))
    return root


def build(root: Path, output: Path, **options) -> dict[str, int]:
    options = {"rule": PAPER, "workers": 0, **options}
    return combine("train", coco=root, lvis=root, output=output, **options)


@pytest.fixture
def data(tmp_path) -> Path:
    """Six photos of COCO, five of which LVIS has as well."""
    write_panoptic(tmp_path / "coco", [1, 2, 3, 4, 5, 6])
    write_lvis(tmp_path / "lvis", tmp_path / "coco", [1, 2, 3, 4, 5])
    return tmp_path


def test_scenes_are_those_of_the_published_loader(tmp_path):
    write_golden(tmp_path)
    counts = build(tmp_path, tmp_path / "coco_lvis", rule=IMPLEMENTATION)
    golden = load_json("coco_lvis.json")
    names = golden["order_in_hannotation"]
    entries = find_entries(("coco-lvis",), tmp_path)
    assert [Path(entry.image).stem for entry in entries] == names
    assert counts["photos"] == len(names)
    rng = np.random.default_rng(0)
    for entry, name in zip(entries, names, strict=True):
        expected = golden["images"][name]
        loaded = entry.load(rng)
        assert loaded.areas() == expected["result"]["areas"]
        for probability, key in ((0.0, "sample_stuff_prob_0"), (1.0, "sample_stuff_prob_1")):
            sample = choose_stuff(loaded, probability, rng=rng)
            assert_sample(sample, expected[key])


def assert_sample(sample: Scene, expected: dict) -> None:
    assert len(sample.objects) == len(expected["object_ids"])
    assert roots(sample) == expected["root_objects"]
    assert np.count_nonzero(sample.layers) == expected["nonzero"]
    assert sample.layers.shape[2] == expected["layers"]


def test_counts_add_up_and_the_worker_processes_change_nothing(data):
    here = build(data, data / "one")
    assert here["photos"] == 5
    assert here["objects"] == here["from_coco"] + here["from_lvis"]
    assert here["from_coco"] + here["dropped_coco"] == 10
    assert here["from_lvis"] + here["dropped_lvis"] == 10
    assert here["broken"] == 0
    assert build(data, data / "two", workers=2) == here
    for name in read_names(data / "one" / FILE):
        one, two = (read_annotation(data / folder / FILE, name) for folder in ("one", "two"))
        assert one == two
        assert one.instances + one.counts["stuff"] == len(one.masks)


def test_the_command_reports_and_the_recipe_finds_the_result(data):
    write_panoptic(data / "coco", [7], "val2017")
    run = ["--data-root", str(data), "--workers", "0"]
    result = CliRunner().invoke(app, [*run, "--split", "train", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["rule"] == "paper"
    assert report["counts"]["all"]["photos"] == 5
    shown = CliRunner().invoke(app, [*run, "--split", "train"]).stdout
    assert "104k" in shown
    assert [e.set_name for e in find_entries(("coco-lvis",), data)] == ["coco-lvis/train"] * 5
    with pytest.raises(UsageError, match="unknown split 'test'"):
        CliRunner().invoke(app, [*run, "--split", "test"], catch_exceptions=False)


def test_coco_instances_do_where_there_is_no_panoptic_annotation(tmp_path):
    write_coco_instances(tmp_path / "coco", [1, 2])
    write_lvis(tmp_path / "lvis", tmp_path / "coco", [1, 2, 3])
    path = tmp_path / "coco" / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][3]["segmentation"] = "no mask"
    path.write_text(json.dumps(content))
    with pytest.raises(TrainingError, match=r"annotation 4 of COCO for 000000000002.*1 of 2"):
        build(tmp_path, tmp_path / "coco_lvis")
    content["annotations"].pop(3)
    path.write_text(json.dumps(content))
    counts = build(tmp_path, tmp_path / "other")
    # A disk and a box from LVIS each; COCO's polygon is the same as LVIS's, the crowd is too small.
    assert (counts["photos"], counts["from_lvis"], counts["stuff"]) == (2, 4, 0)
    assert counts["dropped_coco"] + counts["from_coco"] == 3
    assert counts["dropped_coco"] >= 1


def test_an_unfinished_or_absent_file_is_no_data_set(data):
    with pytest.raises(DatasetError, match=r"combine-coco-lvis"):
        find_entries(("coco-lvis",), data)

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise ConnectionError("the machine went away")

    with pytest.raises(ConnectionError):
        build(data, data / "coco_lvis", progress=stop)
    with pytest.raises(DatasetError, match="not finished"):
        find_entries(("coco-lvis",), data)
    with pytest.raises(DatasetError, match=r"begun with rule=paper, now it is implementation"):
        build(data, data / "coco_lvis", rule=IMPLEMENTATION)
    assert build(data, data / "coco_lvis")["photos"] == 5


RUN = """
import sys
from contextlib import closing
from pathlib import Path
from ritm_edge.train.coco_lvis import build
from ritm_edge.train.coco_lvis.rule import PAPER
build.BATCH = 1
root = Path(sys.argv[1])
def show(done, total):
    print(done, flush=True)
    if done == 2:
        import time; time.sleep(60)
build.combine("train", coco=root, lvis=root, output=root / "killed", rule=PAPER, workers=0,
              progress=show)
"""


def test_a_killed_run_goes_on_where_it_was(data):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(data)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert [process.stdout.readline().strip() for _ in range(2)] == ["1", "2"]
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
    seen = []
    build(data, data / "killed", progress=lambda done, _: seen.append(done))
    assert seen == [3, 4, 5]
    build(data, data / "straight")
    for name in read_names(data / "straight" / FILE):
        paths = (data / folder / FILE for folder in ("killed", "straight"))
        first, second = (read_annotation(path, name) for path in paths)
        assert first == second


def test_broken_photos_and_annotations_are_counted_and_limited(data, monkeypatch):
    from ritm_edge.train import broken

    (data / "coco" / "annotations" / "panoptic_train2017" / "000000000002.png").write_bytes(b"no")
    lvis = data / "lvis" / "lvis_v1_train.json"
    content = json.loads(lvis.read_text())
    content["annotations"][0]["segmentation"] = [[1, 2, float("1e300"), 4, 5, 6]]
    lvis.write_text(json.dumps(content))
    with pytest.raises(TrainingError, match=r"of 5 photos are broken, more than 1%"):
        build(data, data / "strict")
    monkeypatch.setattr(broken, "LARGEST_SHARE", 0.5)
    counts = build(data, data / "coco_lvis")
    assert (counts["photos"], counts["broken"]) == (4, 2)
    log = (data / "coco_lvis" / "train-broken.jsonl").read_text()
    assert "annotation 1 of LVIS for 000000000001" in log
    assert "000000000002.png" in log


def test_masks_are_stored_compactly(data):
    build(data, data / "coco_lvis")
    name = read_names(data / "coco_lvis" / FILE)[0]
    held = read_annotation(data / "coco_lvis" / FILE, name)
    assert len(held.to_bytes()) < held.height * held.width / 8  # less than one bit map


def damaged(annotation: Annotation, **changes) -> bytes:
    return Annotation(**{**vars(annotation), **changes}).to_bytes()


def test_a_damaged_file_is_refused_in_one_sentence(data):
    build(data, data / "coco_lvis")
    path = data / "coco_lvis" / FILE
    entry = find_entries(("coco-lvis",), data)[0]
    name = Path(entry.image).stem
    held = read_annotation(path, name)
    rng = np.random.default_rng(0)
    blobs = [
        b"",
        b"no zlib",
        held.to_bytes()[:-9],
        damaged(held, places=held.places[:-1]),
        damaged(held, places=((9999, 1), *held.places[1:])),
        damaged(held, parents=(77, *held.parents[1:])),
        damaged(held, instances=-1, parents=()),
        damaged(held, masks=("zzzz", *held.masks[1:])),
        damaged(held, masks=("11", *held.masks[1:])),
        damaged(held, height=held.height + 1),
    ]
    for blob in blobs:
        with sqlite3.connect(path) as base:
            base.execute("UPDATE photos SET annotation = ? WHERE name = ?", (blob, name))
        base.close()
        with pytest.raises(DatasetError) as caught:
            entry.load(rng)
        assert "\n" not in str(caught.value)
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    with pytest.raises(DatasetError, match="combine-coco-lvis again"):
        find_entries(("coco-lvis",), data)
    with pytest.raises((DatasetError, OutputFileError)):
        build(data, data / "coco_lvis")


def test_an_output_that_cannot_be_written(data):
    (data / "file").write_text("not a folder")
    with pytest.raises(OutputFileError, match="--output"):
        build(data, data / "file" / "below")


def test_no_common_photo(tmp_path):
    write_panoptic(tmp_path / "coco", [1])
    write_lvis(tmp_path / "lvis", tmp_path / "other", [2])
    with pytest.raises(DatasetError, match="no photo of train2017"):
        build(tmp_path, tmp_path / "out")


def test_objects_in_a_scene_lie_where_they_were_drawn(data):
    build(data, data / "coco_lvis")
    for seed, entry in zip((1, 2, 3, 4, 5), find_entries(("coco-lvis",), data), strict=True):
        loaded = entry.load(np.random.default_rng(0))
        _, labels = scene(seed)
        objects = [loaded.mask(i) for i, item in enumerate(loaded.objects) if not item.stuff]
        for label in (1, 2):
            truth = labels == label
            best = max((m & truth).sum() / (m | truth).sum() for m in objects)
            assert best > 0.85


@pytest.mark.parametrize("kind", ["database", "text"])
def test_another_programs_file_stays(tmp_path, kind):
    path = tmp_path / "coco_lvis_train.sqlite"
    if kind == "text":
        path.write_text("my notes\n")
    else:
        with closing(sqlite3.connect(path)) as base, base:
            base.execute("CREATE TABLE photos_of_mine (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(DatasetError):
        Writer(path, {"rule": "paper"})
    assert path.read_bytes() == before
