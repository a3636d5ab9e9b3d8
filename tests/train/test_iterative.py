"""Simulated corrections against the published candidates, and their effect on the model."""

import numpy as np
import pytest
import torch

from ritm_edge.train.iterative import (
    add_next_clicks,
    next_click_candidates,
    simulate_corrections,
)

from ..golden import load_arrays, load_json
from ..models import tiny_model
from ..paths import requires_golden


class Middle:
    """Stands for the random generator: takes candidate n // 2, as the recorded runs did."""

    def choice(self, candidates: np.ndarray) -> int:
        return int(candidates[len(candidates) // 2])


@requires_golden
@pytest.mark.parametrize("case", range(10))
def test_next_clicks_are_the_published_ones(case):
    arrays = load_arrays("train.npz")
    labels = torch.from_numpy(arrays[f"next/{case}/gt"].astype(np.float32))[None, None]
    probabilities = torch.from_numpy(arrays[f"next/{case}/pred"])[None, None]
    clicks = torch.full((1, 8, 3), -1.0)
    clicks[0, 0] = torch.tensor((5.0, 5.0, 100.0))
    clicks[0, 3] = torch.tensor((7.0, 7.0, 100.0))
    clicks[0, 4] = torch.tensor((1.0, 1.0, 100.0))
    for order, expected in enumerate(load_json("train.json")["next_points"][case], start=1):
        _, candidates = next_click_candidates(
            labels[0, 0].numpy() > 0.5, probabilities[0, 0].numpy()
        )
        clicks = add_next_clicks(labels, probabilities, clicks, order=order, rng=Middle())
        assert candidates.size == expected["num_candidates"]
        assert clicks[0].tolist() == expected["points"]


def test_a_correction_falls_inside_the_larger_error_and_has_its_sign():
    labels = torch.zeros((2, 1, 48, 64))
    labels[:, :, 8:40, 8:40] = 1
    probabilities = torch.zeros_like(labels)
    probabilities[0, :, 8:40, 8:16] = 0.9  # most of the first object is missed
    probabilities[1] = labels[1] * 0.9
    probabilities[1, :, 10:30, 44:64] = 0.9  # the second is exceeded
    empty = torch.full((2, 48, 3), -1.0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        clicks = add_next_clicks(labels, probabilities, empty, order=2, rng=rng)
        row, column, order = clicks[0, 24 - 2].tolist()
        assert order == 2
        assert labels[0, 0, int(row), int(column)] == 1
        assert column >= 16
        row, column, order = clicks[1, 48 - 2].tolist()
        assert order == 2
        assert labels[1, 0, int(row), int(column)] == 0
        assert probabilities[1, 0, int(row), int(column)] > 0.49
        assert int((clicks >= 0).any(dim=2).sum()) == 2


def test_corrections_feed_the_mask_back_and_leave_no_trace_in_the_model():
    model = tiny_model().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    image = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(1))
    labels = torch.zeros((2, 1, 64, 64))
    labels[:, :, 16:48, 16:48] = 1
    clicks = torch.full((2, 48, 3), -1.0)
    clicks[:, 0] = torch.tensor((30.0, 30.0, 100.0))
    rng = np.random.default_rng(0)

    same, zeros = simulate_corrections(model, image, labels, clicks, iterations=0, rng=rng)
    assert torch.equal(same, clicks)
    assert not zeros.any()
    added, mask = simulate_corrections(model, image, labels, clicks, iterations=3, rng=rng)

    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert sorted(added[0, :, 2][added[0, :, 2] >= 0].tolist()) == [1, 2, 3, 100]
    # The returned mask was made from the clicks before the last one and the mask before it.
    model.eval()
    with torch.no_grad():
        previous = torch.zeros_like(mask)
        for order in (1, 2, 3):
            seen = torch.where((added[:, :, 2:] >= order) & (added[:, :, 2:] < 100), -1.0, added)
            previous = torch.sigmoid(model(image, seen, previous).mask_logits)
    torch.testing.assert_close(mask, previous)
    assert not mask.requires_grad


def test_a_model_without_previous_mask_can_be_corrected():
    model = tiny_model(prev_mask=False).train()
    labels = torch.zeros((2, 1, 32, 32))
    labels[:, :, 8:24, 8:24] = 1
    clicks = torch.full((2, 48, 3), -1.0)
    added, _ = simulate_corrections(
        model, torch.rand(2, 3, 32, 32), labels, clicks, iterations=1,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert int((added[:, :, 2] == 1).sum()) == 2
