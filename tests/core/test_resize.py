import numpy as np
import pytest
import torch

from ritm_edge.session.resize import resize_bilinear


@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((223, 230), (388, 400)),
        ((450, 600), (300, 400)),
        ((1, 1), (32, 32)),
        ((1, 5000), (32, 800)),
        ((50, 70), (1, 1)),
        ((50, 70), (1, 90)),
        ((33, 57), (600, 77)),
    ],
)
@pytest.mark.parametrize("channels", [None, 3])
def test_equals_pytorch(
    size: tuple[int, int], target: tuple[int, int], channels: int | None
) -> None:
    shape = size if channels is None else (*size, channels)
    array = np.random.default_rng(0).random(shape, dtype=np.float32)
    nchw = torch.from_numpy(array.reshape(*size, -1)).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(
        nchw, size=target, mode="bilinear", align_corners=True
    )[0].permute(1, 2, 0)
    got = resize_bilinear(array, target)
    assert got.dtype == np.float32
    assert got.shape == (*target, *shape[2:])
    assert np.abs(got.reshape(*target, -1) - expected.numpy()).max() <= 2.4e-7


def test_bytes_stay_in_their_range() -> None:
    image = np.random.default_rng(1).integers(0, 256, (41, 53, 3), dtype=np.uint8)
    image[0, 0], image[-1, -1] = 0, 255
    got = resize_bilinear(image, (97, 64))
    assert got.dtype == np.float32
    assert (got.min(), got.max()) == (0, 255)
    assert np.array_equal(got[0, 0], image[0, 0])
    assert np.array_equal(got[-1, -1], image[-1, -1])


def test_same_size_gives_a_copy() -> None:
    array = np.ones((3, 4), np.float32)
    got = resize_bilinear(array, (3, 4))
    got[:] = 0
    assert array.all()
