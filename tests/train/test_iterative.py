"""Simulated corrections against the published candidates, and their effect on the model."""

import numpy as np
import pytest
import torch

from ritm_edge.errors import UsageError
from ritm_edge.evaluation.metrics import iou
from ritm_edge.train.config import IterativeSettings
from ritm_edge.train.iterative import (
    DAMAGED_IOU,
    add_next_clicks,
    next_click_candidates,
    simulate_corrections,
    start_from_damaged_masks,
)

from ..golden_files import load_arrays, load_json
from ..models import tiny_model


class Middle:
    """Stands for the random generator: takes candidate n // 2, as the recorded runs did."""

    def choice(self, candidates: np.ndarray) -> int:
        return int(candidates[len(candidates) // 2])


def generators(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(index) for index in range(count)]


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
        clicks = add_next_clicks(labels, probabilities, clicks, order=order, rngs=[Middle()])
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
    rngs = generators(2)
    for _ in range(50):
        clicks = add_next_clicks(labels, probabilities, empty, order=2, rngs=rngs)
        row, column, order = clicks[0, 24 - 2].tolist()
        assert order == 2
        assert labels[0, 0, int(row), int(column)] == 1
        assert column >= 16
        row, column, order = clicks[1, 48 - 2].tolist()
        assert order == 2
        assert labels[1, 0, int(row), int(column)] == 0
        assert probabilities[1, 0, int(row), int(column)] > 0.49
        assert int((clicks >= 0).any(dim=2).sum()) == 2


def test_a_sample_gets_the_same_click_whichever_others_share_its_batch():
    labels = torch.zeros((3, 1, 32, 32))
    labels[:, :, 8:24, 8:24] = 1
    nothing, empty = torch.zeros_like(labels), torch.full((3, 48, 3), -1.0)
    whole = add_next_clicks(labels, nothing, empty, order=1, rngs=generators(3))
    part = add_next_clicks(labels[2:], nothing[2:], empty[2:], order=1, rngs=generators(3)[2:])
    assert torch.equal(part, whole[2:])
    assert not torch.equal(whole[0], whole[1])


def test_corrections_feed_the_mask_back():
    model = tiny_model()
    image = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(1))
    labels = torch.zeros((2, 1, 64, 64))
    labels[:, :, 16:48, 16:48] = 1
    clicks = torch.full((2, 48, 3), -1.0)
    clicks[:, 0] = torch.tensor((30.0, 30.0, 100.0))

    @torch.no_grad()
    def predict(image, clicks, prev_mask):
        return torch.sigmoid(model(image, clicks, prev_mask).mask_logits)

    def correct(iterations, **options):
        return simulate_corrections(
            predict, image, labels, clicks, iterations=iterations, rngs=generators(2), **options
        )

    same, zeros = correct(0)
    assert torch.equal(same, clicks)
    assert not zeros.any()
    added, mask = correct(3)
    assert sorted(added[0, :, 2][added[0, :, 2] >= 0].tolist()) == [1, 2, 3, 100]
    # The returned mask was made from the clicks before the last one and the mask before it.
    previous = torch.zeros_like(mask)
    for order in (1, 2, 3):
        seen = torch.where((added[:, :, 2:] >= order) & (added[:, :, 2:] < 100), -1.0, added)
        previous = predict(image, seen, previous)
    torch.testing.assert_close(mask, previous)

    _, unused = correct(3, settings=IterativeSettings(use_prev_mask=False))
    assert not unused.any()


def test_some_samples_start_from_a_damaged_mask_and_one_click_in_its_largest_error():
    labels = torch.zeros((40, 1, 96, 128))
    labels[:, :, 20:70, 30:100] = 1
    labels[:, :, :8] = -1
    labels[0] = 0  # nothing to select
    clicks = torch.full((40, 48, 3), -1.0)
    clicks[:, :2] = torch.tensor((30.0, 40.0, 100.0))
    before = clicks.clone()
    started, masks = start_from_damaged_masks(labels, clicks, probability=0.5, rngs=generators(40))
    assert torch.equal(clicks, before)
    chosen = masks.flatten(1).any(dim=1)
    assert 8 <= chosen.sum() <= 32
    assert not chosen[0]
    assert torch.equal(started[~chosen], before[~chosen])
    for label, mask, points in zip(labels[chosen], masks[chosen], started[chosen], strict=True):
        value = iou(label[0].numpy(), mask[0].numpy() > 0.5)
        assert DAMAGED_IOU[0] - 0.05 <= value <= DAMAGED_IOU[1]
        ((slot, _),) = (points[:, 2:] >= 0).nonzero().tolist()
        row, column, order = points[slot].long().tolist()
        assert (slot, order) in {(0, 100), (24, 100)}
        is_object, is_covered = label[0, row, column] == 1, mask[0, row, column] == 1
        assert is_object != is_covered
        assert is_object == (slot == 0)


def test_no_sample_starts_from_a_damaged_mask_unless_asked():
    labels = torch.ones((2, 1, 32, 32))
    clicks = torch.full((2, 4, 3), -1.0)
    rngs = generators(2)
    same, masks = start_from_damaged_masks(labels, clicks, probability=0, rngs=rngs)
    assert torch.equal(same, clicks)
    assert not masks.any()
    assert [rng.random() for rng in rngs] == [rng.random() for rng in generators(2)]


def test_the_start_is_what_the_first_step_sees():
    seen = []

    def predict(*inputs):
        seen.append(inputs[2])
        return torch.zeros_like(inputs[2])

    image, labels = torch.zeros((1, 3, 32, 32)), torch.ones((1, 1, 32, 32))
    clicks, start = torch.full((1, 4, 3), -1.0), torch.full((1, 1, 32, 32), 0.25)
    options = {"rngs": generators(1), "prev_mask": start}
    _, same = simulate_corrections(predict, image, labels, clicks, iterations=0, **options)
    assert torch.equal(same, start)
    simulate_corrections(predict, image, labels, clicks, iterations=1, **options)
    assert torch.equal(seen[0], start)


def test_a_model_without_previous_mask_cannot_start_from_one():
    with pytest.raises(UsageError, match="needs use_prev_mask"):
        IterativeSettings(use_prev_mask=False, damaged_start_probability=0.1)
