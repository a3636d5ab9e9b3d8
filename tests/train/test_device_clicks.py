"""Clicks on the device follow the rules of the CPU path."""

import numpy as np
import pytest
import torch

from ritm_edge.train.click_sampler import border_ring, inner_region, sample_first_clicks
from ritm_edge.train.config import ClickSettings, IterativeSettings
from ritm_edge.train.device_clicks import (
    RING,
    add_next_clicks,
    draw_places,
    first_clicks,
)

from .photos import shapes
from .test_distance import expected

SIZE = (72, 96)


def scene(seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Two parts, other objects and ignored pixels."""
    labels = shapes(seed)[1]
    rng = np.random.default_rng(seed)
    ignored = (rng.random(SIZE) < 0.1) & (labels == 0)
    others = np.zeros(SIZE, bool)
    others[:6, 40:60] = True
    return [labels == 1, labels == 2], others & ~ignored & (labels == 0), ignored


def on_device(settings, scenes, parts, seed=0, chances=None):
    """Clicks of a batch, as the loading process and the device make them."""
    rng = np.random.default_rng(seed)
    drawn = [draw_places(len(parts), settings, rng) for _ in scenes]
    empty = np.zeros(SIZE, bool)
    masks = [[s[0][i] for i in parts] + [empty] * (2 - len(parts)) for s in scenes]
    given = rng.random((len(scenes), 2 * settings.max_clicks)) if chances is None else chances
    clicks = first_clicks(
        torch.from_numpy(np.array(masks)),
        torch.from_numpy(np.stack([s[1] for s in scenes])),
        torch.from_numpy(np.stack([s[2] for s in scenes])),
        places=torch.from_numpy(np.stack([d[0] for d in drawn])),
        eroded=torch.from_numpy(np.stack([d[1] for d in drawn])),
        chances=torch.from_numpy(given),
        settings=settings,
    )
    return clicks.numpy(), drawn


SETTINGS = {
    "published": ClickSettings(),
    "phone": ClickSettings(
        decay=0.72,
        single_click_probability=0.55,
        positive_places=(0.3, 0.45, 0.25),
        negative_places=(0.3, 0.35, 0.35),
        ring_width=0.2,
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("parts", [(), (0,), (0, 1)])
def test_first_clicks_are_distributed_as_on_the_cpu(name, parts):
    """Numbers of clicks, and how many of them fall on the rim, deep inside, on other objects and
    on the ring."""
    settings, count = SETTINGS[name], 700
    scenes = [scene(seed % 20) for seed in range(count)]
    rng = np.random.default_rng(7)
    cpu = np.stack(
        [
            sample_first_clicks([s[0][i] for i in parts], s[1], settings, rng=rng, ignored=s[2])
            for s in scenes
        ]
    )
    device, _ = on_device(settings, scenes, parts)
    assert set(np.unique(device[..., 2])) <= {-1, 100}
    measures = []
    for clicks in (cpu, device):
        there = clicks[..., 2] >= 0
        kinds = {"rim": 0, "deep": 0, "other": 0, "ring": 0}
        for sample, (masks, others, ignored) in zip(clicks.astype(int), scenes, strict=True):
            union = np.logical_or.reduce([masks[i] for i in parts] or [np.zeros(SIZE, bool)])
            depth = expected(union)
            ring = border_ring(union, settings.ring_width) if parts else union
            for index, (row, column, order) in enumerate(sample):
                if order < 0:
                    continue
                positive = index < settings.max_clicks
                assert union[row, column] == positive
                assert positive or not ignored[row, column]
                kinds["rim"] += positive and depth[row, column] <= 9
                kinds["deep"] += positive and 4 * depth[row, column] > depth.max()
                kinds["other"] += not positive and others[row, column]
                kinds["ring"] += not positive and ring[row, column]
        half = settings.max_clicks
        numbers = there[:, :half].sum(1), there[:, half:].sum(1)
        measures.append(
            [*(n.mean() for n in numbers), *(n.std() for n in numbers), *kinds.values()]
        )
        assert bool(parts) == bool(numbers[0].any())
    one, two = np.array(measures)
    # Five standard deviations of the difference of two means.
    np.testing.assert_allclose(one[:4], two[:4], atol=5 * one[2:4].max() * np.sqrt(2 / count))
    for left, right in zip(one[4:], two[4:], strict=True):
        # Of thousands of clicks: five standard deviations of the difference of two counts.
        assert abs(left - right) <= 5 * np.sqrt(left + right + 1) + 0.03 * (left + right), measures


def test_regions_are_those_of_opencv():
    """A chance close to 0 or 1 takes the first or last pixel of a region."""
    settings = ClickSettings(erode_probability=1, negative_places=(0, 0, 1), ring_width=0.37)
    scenes = [scene(seed) for seed in range(12)]
    for chance, end in ((0.0, 0), (1 - 1e-9, -1)):
        chances = np.full((len(scenes), 48), chance)
        clicks, drawn = on_device(settings, scenes, (0,), chances=chances)
        for sample, (places, _), (masks, _, ignored) in zip(clicks, drawn, scenes, strict=True):
            ring = border_ring(masks[0], settings.ring_width) & ~masks[0] & ~ignored
            for place, region in ((0, inner_region(masks[0])), (RING, ring)):
                wanted = np.argwhere(region)[end]
                for row, column, _ in sample[places == place].astype(int):
                    assert (row, column) == tuple(wanted)


@pytest.mark.parametrize("deepest", [0.0, 1.0])
@pytest.mark.parametrize("skip_ignored", [False, True])
def test_corrections_fall_where_the_exact_rule_wants_them(deepest, skip_ignored):
    settings = IterativeSettings(deepest_probability=deepest, skip_ignored=skip_ignored)
    rng = np.random.default_rng(3)
    count = 60
    labels = np.stack([(shapes(s)[1] == 1).astype(np.float32) for s in range(count)])
    labels[:, :9] = np.where(labels[:, :9] > 0, 1, -1)
    predicted = np.stack([np.roll(shapes(s)[1] == 1 + s % 2, s % 13 - 6, 1) for s in range(count)])
    predicted[0] = labels[0] > 0  # but for what is ignored, nothing to correct
    clicks = torch.full((count, 8, 3), -1.0)
    seen = []
    for _ in range(4):
        chances = torch.from_numpy(rng.random((count, 2)))
        found = add_next_clicks(
            torch.from_numpy(labels)[:, None],
            torch.from_numpy(predicted.astype(np.float32))[:, None],
            clicks,
            order=2,
            chances=chances,
            settings=settings,
        ).numpy()
        seen.append(found)
        for index in range(count):
            truth = labels[index] > 0.5
            missed, extra = truth & ~predicted[index], ~truth & predicted[index]
            if skip_ignored:
                extra &= labels[index] >= 0
            depths = expected(missed), expected(extra)
            greatest = max(depth.max() for depth in depths)
            there = found[index][:, 2] >= 0
            assert there.sum() == (greatest > 0)
            if greatest:
                slot = int(np.flatnonzero(there)[0])
                row, column, order = found[index][slot].astype(int)
                positive = depths[0].max() > depths[1].max()
                assert (slot, order) == (2 if positive else 6, 2)
                depth = depths[0 if positive else 1][row, column]
                assert depth == greatest if deepest else 4 * depth > greatest
    assert deepest or any(not np.array_equal(seen[0], other) for other in seen[1:])


def test_a_sample_is_corrected_alike_whatever_shares_its_batch():
    labels = torch.stack(
        [torch.from_numpy((shapes(s)[1] == 1).astype(np.float32)) for s in range(4)]
    )
    chances = torch.from_numpy(np.random.default_rng(0).random((4, 2)))
    whole, parts = (
        torch.cat(
            [
                add_next_clicks(
                    labels[part, None],
                    torch.zeros_like(labels[part, None]),
                    torch.full((len(labels[part]), 8, 3), -1.0),
                    order=1,
                    chances=chances[part],
                    settings=IterativeSettings(),
                )
                for part in slices
            ]
        )
        for slices in ((slice(0, 4),), (slice(0, 1), slice(1, 4)))
    )
    assert torch.equal(whole, parts)
