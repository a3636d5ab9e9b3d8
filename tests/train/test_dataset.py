"""Samples: found, decided by (seed, position), and refused with the file's name."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from ritm_edge.errors import DatasetError, TrainingError, UsageError
from ritm_edge.train.broken import BROKEN_LOG, BrokenFiles, Problem
from ritm_edge.train.dataset import ClickDataset
from ritm_edge.train.datasets import find_entries
from ritm_edge.train.loader import batches
from ritm_edge.train.order import draw_probabilities

from .photos import shapes, small_config, write_photos


def dataset(root, *, start=0, **changes):
    return ClickDataset(find_entries(("folder",), root), small_config(**changes), start=start)


def collected(root, *, workers, start=0):
    samples = dataset(root, start=start, steps=5)
    broken = BrokenFiles(root / BROKEN_LOG, photos=len(samples.entries))
    return list(batches(samples, batch_size=2, workers=workers, broken=broken))


def test_pairs_are_found_in_a_stable_order(tmp_path):
    write_photos(tmp_path, 2, set_name="b")
    write_photos(tmp_path, 1, set_name="a")
    (tmp_path / "b" / "masks_fine").mkdir()
    cv2.imwrite(str(tmp_path / "b" / "masks_fine" / "1.png"), shapes(1)[1])
    cv2.imwrite(str(tmp_path / "b" / "masks" / "alone.png"), shapes(1)[1])
    found = [(e.set_name, Path(e.labels).stem) for e in find_entries(("folder",), tmp_path)]
    assert found == [("a/masks", "0"), ("b/masks", "0"), ("b/masks", "1"), ("b/masks_fine", "1")]


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    with pytest.raises(DatasetError, match=r"SET/masks/NAME\.png"):
        find_entries(("folder",), tmp_path)
    with pytest.raises(UsageError, match=r"'cococo'.*coco, .*sbd"):
        find_entries(("cococo",), tmp_path)


def test_sets_are_drawn_by_their_weights(tmp_path):
    write_photos(tmp_path, 3, set_name="a")
    write_photos(tmp_path, 1, set_name="b")
    annotations = find_entries(("folder",), tmp_path)
    by_size = draw_probabilities(annotations, small_config())
    np.testing.assert_allclose(by_size, 0.25)
    weights = {"a/masks": 0.2, "b/masks": 0.6, "absent/masks": 5.0}
    weighted = draw_probabilities(annotations, small_config(set_weights=weights))
    np.testing.assert_allclose(weighted, [0.25 / 3, 0.25 / 3, 0.25 / 3, 0.75])
    with pytest.raises(TrainingError, match="weight 0"):
        draw_probabilities(annotations, small_config(set_weights={"a/masks": 0, "b/masks": 0}))


def test_a_sample_holds_what_the_network_takes(photos):
    samples = dataset(photos, crop=(48, 64), steps=20)
    assert len(samples) == 40
    for index in range(20):
        sample = samples[index]
        assert sample["image"].shape == (3, 48, 64)
        assert sample["image"].dtype == torch.float32
        assert 0 <= float(sample["image"].min()) < float(sample["image"].max()) <= 1
        assert sample["clicks"].shape == (48, 3)
        truth = sample["labels"][0]
        assert int((truth == 1).sum()) >= 20
        for start, inside in ((0, True), (24, False)):
            clicks = sample["clicks"][start : start + 24]
            for row, column, _ in clicks[clicks[:, 2] >= 0].int().tolist():
                assert (truth[row, column] == 1) == inside


def test_ignored_pixels_become_minus_one_and_get_no_click(tmp_path):
    write_photos(tmp_path, 2)
    for index in range(2):
        _, labels = shapes(index)
        ring = cv2.dilate((labels == 1).astype(np.uint8), np.ones((9, 9))) > 0
        labels[ring & (labels == 0)] = 255
        cv2.imwrite(str(tmp_path / "shapes" / "masks" / f"{index}.png"), labels)
    samples = dataset(tmp_path, steps=30)
    ignored = 0
    for index in range(60):
        sample = samples[index]
        truth = sample["labels"][0]
        ignored += int((truth == -1).sum())
        for row, column, order in sample["clicks"].int().tolist():
            assert order < 0 or truth[row, column] != -1
    assert ignored > 1000


def test_data_depends_on_seed_and_position_alone(photos):
    here, one, two = (collected(photos, workers=n) for n in (0, 1, 2))
    resumed = collected(photos, workers=1, start=3)
    for other in (one, two):
        for first, second in zip(here, other, strict=True):
            assert all(torch.equal(first[key], second[key]) for key in first)
    for first, second in zip(here[3:], resumed, strict=True):
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(here[0]["image"], here[1]["image"])
    assert not torch.equal(dataset(photos, seed=1)[0]["image"], dataset(photos)[0]["image"])


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("damage", ["photo", "labels", "size", "colour"])
def test_a_broken_file_is_named_in_one_sentence(tmp_path, damage, workers):
    write_photos(tmp_path, 1)
    image, mask = (tmp_path / "shapes" / name / "0.png" for name in ("images", "masks"))
    if damage == "photo":
        image.write_bytes(b"no photo at all")
    elif damage == "labels":
        mask.write_bytes(b"")
    elif damage == "size":
        cv2.imwrite(str(mask), shapes(0)[1][:-1])
    else:
        cv2.imwrite(str(mask), shapes(0)[0])
    broken = image if damage == "photo" else mask
    with pytest.raises(TrainingError) as caught:
        collected(tmp_path, workers=workers)
    message = str(caught.value)
    assert message.startswith(str(broken))
    assert "\n" not in message
    assert "Traceback" not in message


@pytest.mark.parametrize("workers", [0, 2])
def test_a_few_broken_files_are_counted_named_and_left_out(tmp_path, workers):
    write_photos(tmp_path, 4)
    bad = tmp_path / "shapes" / "images" / "2.png"
    bad.write_bytes(b"no photo at all")
    log = tmp_path / BROKEN_LOG
    seen = []
    samples = dataset(tmp_path, steps=30)
    # As if the four photos were among four hundred.
    for batch in batches(
        samples, batch_size=2, workers=workers, broken=BrokenFiles(log, photos=400)
    ):
        seen.append(batch["image"])
    assert len(seen) == 30
    rows = [json.loads(row) for row in log.read_text().splitlines()]
    assert [row["image"] for row in rows] == [str(bad)]
    assert rows[0]["problem"].startswith(str(bad))
    # The same samples without the broken photo's place in the order being touched.
    again = [samples[index]["image"] for index in range(60)]
    assert torch.equal(torch.cat([*seen]), torch.stack(again))


def test_more_than_one_photo_in_a_hundred_stops_the_run(tmp_path):
    log = tmp_path / BROKEN_LOG
    broken = BrokenFiles(log, photos=200)
    assert broken.add([Problem("a.jpg", "a.jpg is bad"), Problem("a.jpg", "mask 3 is bad")])
    assert not broken.add([Problem("a.jpg", "a.jpg is bad")])
    assert broken.add([Problem("b.jpg", "b.jpg is bad")])
    assert len(broken) == 2
    with log.open("a") as file:
        file.write('{"image": "c')  # cut by a crash
    resumed = BrokenFiles(log, photos=200)
    assert len(resumed) == 2
    with pytest.raises(TrainingError, match=r"c\.jpg is bad; 3 of 200 .* more than 1%"):
        resumed.add([Problem("c.jpg", "c.jpg is bad.")])


def test_an_epoch_visits_every_photo_once_whatever_the_number_of_workers(tmp_path):
    write_photos(tmp_path, 6)
    samples = dataset(tmp_path, steps=0, epochs=2)
    rng = np.random.default_rng(0)
    order = [samples.order.at(position, rng) for position in range(12)]
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
    assert order[:6] != order[6:]
    drawn = dataset(tmp_path, steps=0, epochs=2, epoch_samples=40)
    repeated = [drawn.order.at(position, rng) for position in range(40)]
    assert len(set(repeated[:6])) < 6 or len(set(repeated[6:12])) < 6


def test_label_maps_without_objects_end_in_an_error_not_in_a_loop(tmp_path):
    write_photos(tmp_path, 1)
    cv2.imwrite(str(tmp_path / "shapes" / "masks" / "0.png"), 0 * shapes(0)[1])
    with pytest.raises(TrainingError, match="255 means ignore"):
        dataset(tmp_path)[0]


def test_a_worker_that_dies_is_a_typed_error(photos, monkeypatch):
    import os

    from ritm_edge.train import dataset as module

    monkeypatch.setattr(module, "make_sample", lambda *_: os._exit(1))
    with pytest.raises(TrainingError, match="--workers"):
        collected(photos, workers=1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_warning_is_logged_and_stops_nothing(tmp_path, workers):
    write_photos(tmp_path, 2)
    images = tmp_path / "shapes" / "images"
    Image.open(images / "1.png").save(images / "1.jpg", quality=95)
    (images / "1.png").unlink()
    whole = (images / "1.jpg").read_bytes()
    (images / "1.jpg").write_bytes(whole[:-300] + b"\xff\xd3" + whole[-300:])
    write_photos(tmp_path, 1, set_name="empty")
    cv2.imwrite(str(tmp_path / "empty" / "masks" / "0.png"), 0 * shapes(0)[1])
    batches_seen = collected(tmp_path, workers=workers)
    assert len(batches_seen) == 5
    rows = [json.loads(row) for row in (tmp_path / BROKEN_LOG).read_text().splitlines()]
    assert all(row["used"] for row in rows)
    assert len(rows) == 2
    problems = sorted(row["problem"] for row in rows)
    assert "empty/masks/0.png has no object in it" in problems[0]
    assert "shapes/images/1.jpg may be damaged (Corrupt JPEG data" in problems[1]
    broken = BrokenFiles(tmp_path / BROKEN_LOG, photos=3)
    assert len(broken) == 0
    with pytest.raises(TrainingError, match=r"0\.png is bad; 1 of 3 photos are broken"):
        broken.add([Problem("0.png", "0.png is bad"), Problem("1.jpg", "odd", used=True)])
