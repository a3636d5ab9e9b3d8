"""The device path makes the samples of the CPU path: windows, targets, colours, and a whole run."""

import json
import re

import cv2
import numpy as np
import pytest
import torch

from ritm_edge.errors import TrainingError, UsageError
from ritm_edge.train import photo_cache
from ritm_edge.train import step as training_step
from ritm_edge.train.config import TrainConfig
from ritm_edge.train.dataset import ClickDataset
from ritm_edge.train.datasets import find_entries
from ritm_edge.train.datasets.ade20k import AdeEntry
from ritm_edge.train.device_batches import BatchMaker, PlanDataset, make_dataset, on_device
from ritm_edge.train.photo_cache import PhotoCache
from ritm_edge.train.recipes import load_recipe
from ritm_edge.train.run_log import LOG
from ritm_edge.train.state import LAST_CHECKPOINT, WEIGHTS

from .diverging import let_the_loss_diverge
from .photos import shapes, small_config
from .test_loop import assert_same_run, content, run, stop_after

CPU = torch.device("cpu")
PUBLISHED = {"augmentation.kind": "published", "augmentation.scale": (0.75, 1.4)}
TURNED = {
    **PUBLISHED,
    "vertical_flip": 0.4,
    "quarter_turns": True,
    "rotate": 8.0,
    "augmentation.shift": 0.1,
}
WINDOWS = {"augmentation.kind": "windows", "rotate": 12.0}
KINDS = {
    "published": PUBLISHED,
    "turned": TURNED,
    "windows": WINDOWS,
    "damaged": {**WINDOWS, "damaged_start_probability": 0.4},
}
DEVICE = {"run.batches": "device", "batch_size": 4, "max_iterations": 2, "save_every": 1}


@pytest.fixture
def large_photos(tmp_path):
    """Photos of several sizes, with two objects and ignored pixels each."""
    root = tmp_path / "large"
    for folder in ("images", "masks"):
        (root / "shapes" / folder).mkdir(parents=True)
    for index, size in enumerate(((150, 200), (220, 130), (90, 110), (64, 300))):
        photo, labels = shapes(index, size)
        labels[:, :5] = 255
        blurred = cv2.GaussianBlur(photo, (5, 5), 0)
        cv2.imwrite(str(root / "shapes" / "images" / f"{index}.png"), blurred)
        cv2.imwrite(str(root / "shapes" / "masks" / f"{index}.png"), labels)
    return root


def both_paths(root, config, count=48, cache=None):
    """The same samples, made on the CPU and by the device's functions."""
    entries = find_entries(("folder",), root)
    cpu = ClickDataset(entries, config, start=0)
    planned = PlanDataset(entries, config, start=0)
    maker = BatchMaker(config, CPU)
    if cache is not None:
        planned = make_dataset(entries, config, CPU, cache, start=0)
        maker.photos = cache.photos
    return (
        cpu.join([cpu[index] for index in range(count)]),
        maker(planned.join([planned[index] for index in range(count)])),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_window_target_and_colours(large_photos, kind):
    config = small_config(
        **{"crop": (96, 128), "min_object_pixels": 100, "steps": 60, **KINDS[kind]}
    )
    cpu, device = both_paths(large_photos, config)
    assert device["image"].shape == cpu["image"].shape
    assert device["image"].dtype == torch.float32
    assert (cpu["labels"] != device["labels"]).float().mean() < 0.01
    whole = {value: (cpu["labels"] == value).float().mean() for value in (-1, 0, 1)}
    assert min(whole.values()) > 0.005
    # Colours are whole numbers; a warp is a second interpolation, which one matrix saves.
    levels = device["image"] * 255
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    off = (cpu["image"] - device["image"]).abs() * 255
    assert off.mean() < 0.6
    assert (off > 12).float().mean() < 0.01


def test_large_photos_travel_smaller_and_show_the_same(tmp_path):
    root = tmp_path / "huge"
    for folder in ("images", "masks"):
        (root / "shapes" / folder).mkdir(parents=True)
    photo, labels = shapes(1, (900, 1300))
    cv2.imwrite(str(root / "shapes" / "images" / "1.png"), cv2.GaussianBlur(photo, (31, 31), 0))
    cv2.imwrite(str(root / "shapes" / "masks" / "1.png"), labels)
    config = small_config(**{"crop": (64, 64), "steps": 40, **WINDOWS})
    cpu, device = both_paths(root, config, 24)
    assert (cpu["image"] - device["image"]).abs().mean() * 255 < 1.0
    planned = PlanDataset(find_entries(("folder",), root), config, start=0)
    sizes = [planned[index]["pixels"].shape[1:] for index in range(24)]
    assert max(map(max, sizes)) <= 4.5 * 64 * np.sqrt(2)


@pytest.mark.parametrize("kind", ["published", "windows"])
def test_windows_objects_colours_and_clicks_have_the_same_distribution(large_photos, kind):
    """Other seeds on the two paths, so that equal draws do not make it true."""
    settings = {"crop": (64, 96), "min_object_pixels": 60, "steps": 400, **KINDS[kind]}
    measures = []
    for seed, place in ((1, 0), (2, 1)):
        batch = both_paths(large_photos, small_config(**{**settings, "seed": seed}), 400)[place]
        labels, image = batch["labels"][:, 0], batch["image"]
        there = batch["clicks"][..., 2] >= 0
        rows = torch.arange(64.0)[:, None]
        target = labels == 1
        measures.append(
            torch.stack(
                [
                    target.flatten(1).float().mean(1),
                    (labels == -1).flatten(1).float().mean(1),
                    ((target * rows).flatten(1).sum(1) / target.flatten(1).sum(1).clamp(min=1))
                    / 64,
                    (image == 0).all(1).flatten(1).float().mean(1),
                    *image.flatten(2).mean(2).T,
                    *image.flatten(2).std(2).T,
                    there[:, :24].sum(1) / 10,
                    there[:, 24:].sum(1) / 10,
                    (batch["clicks"][:, 0, 0] / 64),
                    (batch["clicks"][:, 24, 1].clamp(min=0) / 96),
                ]
            ).numpy()
        )
    one, two = measures
    for left, right in zip(one, two, strict=True):
        error = np.sqrt((left.var() + right.var()) / len(left))
        assert abs(left.mean() - right.mean()) < 4.5 * error + 0.003
        for share in (0.1, 0.5, 0.9):
            quantiles = np.quantile(left, share), np.quantile(right, share)
            assert abs(quantiles[0] - quantiles[1]) < 0.35 * max(left.std(), right.std()) + 0.06


@pytest.mark.parametrize("where", ["memory", "device"])
@pytest.mark.parametrize("workers", [0, 2])
def test_photos_that_are_kept_give_the_same_samples(large_photos, where, workers):
    config = small_config(**{"crop": (64, 64), "steps": 40, "run.batches": "device", **WINDOWS})
    plain = both_paths(large_photos, config, 24)[1]
    entries = find_entries(("folder",), large_photos)
    kept = TrainConfig(**{**vars(config), "data": {**vars(config.data), "cache": where}})
    cache = PhotoCache(entries, kept, CPU, workers)
    for path in large_photos.rglob("*.png"):
        path.write_bytes(b"gone")
    again = make_dataset(entries, kept, CPU, cache, start=0)
    maker = BatchMaker(kept, CPU)
    maker.photos = cache.photos
    made = maker(again.join([again[index] for index in range(24)]))
    for name, value in plain.items():
        assert torch.allclose(made[name], value, atol=1.01 / 255), name
    if where == "memory":  # the CPU path has them as well
        cpu = ClickDataset(entries, kept, start=0, cached=cache.scenes)
        assert torch.isfinite(cpu[0]["image"]).all()
    else:
        assert "pixels" not in again.join([again[0], again[1]])


def test_photos_that_do_not_fit_are_refused_with_their_size(large_photos, monkeypatch):
    entries = find_entries(("folder",), large_photos)
    monkeypatch.setattr(photo_cache, "free_bytes", lambda _: 2.0**17)
    for where in ("memory", "device"):
        config = small_config(**{"cache": where, "run.batches": "device", **WINDOWS})
        with pytest.raises(
            TrainingError, match=rf"{where}: 4 .* 0\.000\d+ GiB, more than 80% .*none"
        ):
            PhotoCache(entries, config, CPU, 0)
    assert PhotoCache(entries, small_config(), CPU, 0).scenes is None
    assert photo_cache.free_bytes.__name__ == "<lambda>"


def test_broken_photos_are_met_when_they_are_drawn(large_photos):
    (large_photos / "shapes" / "images" / "2.png").write_bytes(b"no photo")
    entries = find_entries(("folder",), large_photos)
    config = small_config(cache="memory", steps=40)
    samples = ClickDataset(
        entries, config, start=0, cached=PhotoCache(entries, config, None, 0).scenes
    )
    problems = [text.message for i in range(20) for text in samples.draw(i)[1]]
    assert problems
    assert all("2.png" in text for text in problems)


def test_what_cannot_be_kept_or_made_there_is_refused(large_photos):
    entries = find_entries(("folder",), large_photos)
    with pytest.raises(UsageError, match=r"data\.cache=device does nothing .* CPU"):
        PhotoCache(entries, small_config(cache="device"), None, 0)
    several = [AdeEntry("ade", "a.jpg", ("a_seg.png", "a_parts_1.png"), "a.txt")]
    with pytest.raises(UsageError, match=r"data\.cache=memory keeps one of several .* a\.jpg"):
        PhotoCache(several, small_config(cache="memory"), None, 0)
    with pytest.raises(UsageError, match=r"run\.batches=device makes no crops"):
        small_config(**{"run.batches": "device"})


def test_a_gpu_makes_its_batches_itself_unless_told_otherwise():
    gpu = torch.device("cuda")
    published = load_recipe("hrnet18s-cocolvis-iterm")
    assert on_device(published, gpu)
    assert on_device(load_recipe("lite0-phone"), gpu)
    assert not on_device(published, CPU)
    assert not on_device(load_recipe("hrnet18s-small-crops"), gpu)  # object_crops
    assert not on_device(small_config(**{"run.batches": "cpu", **PUBLISHED}), gpu)
    assert on_device(small_config(**{"run.batches": "device", **PUBLISHED}), CPU)


def device_config(**changes):
    return small_config(
        **{"run.batches": "device", "batch_size": 4, "max_iterations": 2, **changes}
    )


@pytest.mark.usefixtures("tiny_networks")
@pytest.mark.parametrize("kind", ["published", "damaged"])
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(photos, tmp_path, kind):
    config = device_config(**{"steps": 5, "ema_decay": 0.9, "grad_clip": 1.0, **KINDS[kind]})
    straight = run(config, photos, tmp_path / "straight", workers=1)
    for steps in (2, 1, 99):
        halves = run(config, photos, tmp_path / "halves", stop=stop_after(steps), resume=True)
    assert_same_run(straight, halves)
    weights = [(tmp_path / name / WEIGHTS).read_bytes() for name in ("straight", "halves")]
    assert weights[0] == weights[1]
    assert content(straight)["training"]["optimiser"]["param_groups"][0]["fused"]


@pytest.mark.usefixtures("tiny_networks")
def test_values_are_read_when_they_are_logged(photos, tmp_path):
    seen = []
    config = device_config(**{"steps": 45, **PUBLISHED, "batch_size": 2})
    run(
        config, photos, tmp_path / "run", progress=lambda step, _, shown: seen.append((step, shown))
    )
    assert [step for step, _ in seen] == [20, 40, 45]
    rows = [json.loads(row) for row in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert [row["step"] for row in rows] == [20, 40, 45]
    assert all(0 < shown.network_share <= 1 for _, shown in seen)
    assert all({"loss", "iou", "gradient_norm"} <= row.keys() for row in rows)


@pytest.mark.usefixtures("tiny_networks")
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_step_that_is_not_finite_is_refused_and_its_batch_made_again(
    photos, tmp_path, monkeypatch, where
):
    let_the_loss_diverge(monkeypatch, where, when=lambda call: call == 6)
    config = device_config(**{"steps": 60, "weight_decay": 0.1, **PUBLISHED})
    output = tmp_path / "run"
    seen = {}
    real = training_step.Trainer.step

    def watched(self, batch, *, step, **options):
        seen.setdefault(step, [p.detach().clone() for p in self.model.parameters()])
        seen["result", step] = real(self, batch, step=step, **options)
        return seen["result", step]

    monkeypatch.setattr(training_step.Trainer, "step", watched)
    with pytest.raises(
        TrainingError, match=r"not finite at step 7 .*diverged-step-7\.pth"
    ) as error:
        run(config, photos, output)
    assert re.search(r"learning rate 0\.00", str(error.value))
    assert max(step for step in seen if isinstance(step, int)) == 19, "until the next log"
    # No weight changes any more from the refused step on.
    assert not all(torch.equal(a, b) for a, b in zip(seen[5], seen[6], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(seen[6], seen[19], strict=True))
    kept = torch.load(output / "diverged-step-7.pth", weights_only=True)
    entries = find_entries(("folder",), photos)
    plans = make_dataset(entries, config, CPU, PhotoCache(entries, config, CPU, 0), start=6)
    batch = BatchMaker(config, CPU)(plans.join([plans[index] for index in range(4)]))
    for name, value in batch.items():
        assert torch.equal(kept[name], value), name
    assert kept["prev_mask"].shape == kept["labels"].shape == kept["logits"].shape
    assert not (output / LAST_CHECKPOINT).exists()
