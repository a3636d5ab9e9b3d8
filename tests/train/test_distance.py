"""The batched distance transform equals OpenCV's exact one, in whole squared pixels."""

import cv2
import numpy as np
import pytest
import torch

from ritm_edge.train import distance
from ritm_edge.train.click_sampler import depth_of
from ritm_edge.train.distance import squared_depth


def expected(region: np.ndarray) -> np.ndarray:
    padded = np.pad(region, 1).astype(np.uint8)
    exact = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.rint(exact.astype(np.float64) ** 2)


def drawn(kind: str, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    if kind.startswith("noise"):
        return rng.random(size) < float(kind.removeprefix("noise "))
    region = np.zeros(size, np.uint8)
    height, width = size
    for _ in range(4):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(region, centre, int(rng.integers(1, max(size) // 2 + 2)), 1, -1)
        corner = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.line(region, centre, corner, 0, 1)
    return region > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 2), (33, 20), (64, 64), (96, 131)])
@pytest.mark.parametrize(
    "kind", ["noise 0", "noise 0.03", "noise 0.5", "noise 0.97", "noise 1", ""]
)
def test_it_equals_the_exact_transform_of_each_region(size, kind, monkeypatch):
    monkeypatch.setitem(distance.BLOCK_BYTES, "cpu", 1 << 14)  # several blocks, the last one short
    rng = np.random.default_rng(len(kind) + 1000 * size[0] + size[1])
    first = np.stack([drawn(kind, size, rng) for _ in range(3)])
    second = np.stack([drawn(kind, size, rng) for _ in range(3)]) & ~first
    both = torch.from_numpy(first.astype(np.uint8) + 2 * second.astype(np.uint8))
    found = squared_depth(both).numpy()
    assert found.dtype == np.float32
    for index in range(3):
        for region in (first[index], second[index]):
            np.testing.assert_array_equal(found[index] * region, expected(region))


def test_candidates_differ_little_from_those_of_the_approximation():
    """A few per cent of the pixels may be clicked by one of the two rules alone; the centre of a
    square is its only deepest pixel."""
    rng = np.random.default_rng(0)
    differs = pixels = 0
    for _ in range(30):
        region = drawn("", (128, 128), rng)
        exact = squared_depth(torch.from_numpy(region.astype(np.uint8))[None])[0].numpy() * region
        approximate = depth_of(region)
        rules = 4 * exact > exact.max(), approximate > approximate.max() / 2
        differs += (rules[0] ^ rules[1]).sum()
        pixels += (rules[0] | rules[1]).sum()
    assert 0 < differs / pixels < 0.08
    disk = torch.zeros((1, 21, 21), dtype=torch.uint8)
    disk[0, 5:16, 5:16] = 1
    assert (squared_depth(disk)[0, 5:16, 5:16] == 36).sum() == 1
