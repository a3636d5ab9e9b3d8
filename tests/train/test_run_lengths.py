"""Compressed run lengths: read as pycocotools writes them, refused where they do not add up."""

import numpy as np
import pytest

from ritm_edge.errors import DatasetError
from ritm_edge.train.datasets.run_lengths import decode, encode, to_rle, unpacked

from .official_layouts import counts


def masks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    kinds = [np.zeros((40, 50), bool), np.ones((40, 50), bool)]
    kinds += [rng.random((40, 50)) < share for share in (0.01, 0.3, 0.5, 0.99)]
    large = np.zeros((1500, 2000), bool)
    large[700:, 3:1990] = True
    large[:, 1500] = rng.random(1500) < 0.5
    return [*kinds, large]


def test_unpacking_gives_the_runs_of_the_mask():
    for mask in masks():
        assert unpacked(encode(mask).encode()).tolist() == counts(mask)


def test_masks_survive_a_round_trip_from_every_form():
    for mask in masks():
        size = list(mask.shape)
        assert np.array_equal(decode({"size": size, "counts": encode(mask)}), mask)
        plain = to_rle({"size": size, "counts": counts(mask)}, *size)
        assert np.array_equal(decode(plain), mask)


def test_damaged_text_is_refused_and_never_crashes():
    mask = masks()[3]
    text = encode(mask).encode()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(2000):
        broken = bytearray(text)
        for _ in range(int(rng.integers(1, 4))):
            broken[int(rng.integers(len(broken)))] = int(rng.integers(256))
        broken = broken[: int(rng.integers(len(broken) + 1))]
        try:
            result = decode({"size": [40, 50], "counts": bytes(broken)})
        except DatasetError:
            refused += 1
        else:
            assert result.shape == (40, 50)
    assert refused > 1900


@pytest.mark.parametrize("data", [b"", b"P", b"oooooooooo1", b"\xff", b"0" * 5 + b"P"])
def test_what_is_no_run_length_is_named(data):
    with pytest.raises(ValueError, match="run length"):
        unpacked(data)
