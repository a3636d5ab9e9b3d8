"""The threshold that follows the network, and the IoU it is reported at."""

import pytest
import torch

from ritm_edge.train.adaptive_iou import AdaptiveIoU

from ..golden_files import load_json


def batch(probability: torch.Tensor) -> torch.Tensor:
    return torch.logit(probability.double())[None, None]


def test_the_threshold_follows_the_better_neighbour():
    """The object has p = 0.39, all else 0.1: only the lower threshold finds it."""
    labels = torch.zeros((1, 1, 4, 4))
    labels[..., :2] = 1
    logits = batch(torch.where(labels[0, 0] > 0, 0.39, 0.1))
    metric = AdaptiveIoU()
    assert metric.update(metric.count(logits, labels)) == 1.0
    assert metric.threshold == pytest.approx(0.99 * 0.4 + 0.01 * 0.375)
    assert metric.mean == pytest.approx(0.1)
    # And upwards: background at 0.41 is left out by the higher threshold alone.
    metric = AdaptiveIoU()
    logits = batch(torch.where(labels[0, 0] > 0, 0.9, 0.41))
    assert metric.update(metric.count(logits, labels)) == 1.0
    assert metric.threshold == pytest.approx(0.99 * 0.4 + 0.01 * 0.425)


def test_a_threshold_that_is_as_good_as_its_neighbours_stays():
    labels = torch.zeros((1, 1, 4, 4))
    labels[..., :2] = 1
    metric = AdaptiveIoU()
    metric.update(metric.count(batch(torch.where(labels[0, 0] > 0, 0.9, 0.1)), labels))
    assert metric.threshold == 0.4


def test_empty_samples_and_ignored_pixels():
    labels = torch.zeros((3, 1, 2, 4))
    labels[0, :, :, :2] = 1
    labels[0, :, :, 3] = -1  # predicted there: does not count
    probability = torch.full((3, 1, 2, 4), 0.1)
    probability[0, :, :, :2] = 0.9
    probability[0, :, :, 3] = 0.9
    probability[2] = 0.9  # nothing there: IoU 0. The second sample has no pixel in either.
    metric = AdaptiveIoU()
    assert metric.update(metric.count(torch.logit(probability), labels)) == pytest.approx(0.5)
    nothing = metric.count(torch.logit(probability[1:]), labels[1:])
    before = metric.state_dict()
    assert metric.update(nothing) == metric.mean
    assert metric.state_dict() == before


def test_parts_of_a_batch_add_up_to_the_whole():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((4, 1, 8, 8), generator=generator)
    labels = (torch.rand((4, 1, 8, 8), generator=generator) > 0.5).float()
    whole, parts = AdaptiveIoU(), AdaptiveIoU()
    summed = parts.count(logits[:1], labels[:1]) + parts.count(logits[1:], labels[1:])
    assert whole.update(whole.count(logits, labels)) == pytest.approx(parts.update(summed))
    assert whole.threshold == parts.threshold


def test_a_resumed_metric_goes_on():
    metric = AdaptiveIoU()
    metric.load_state_dict({"threshold": 0.3, "mean": 0.7})
    assert metric.state_dict() == {"threshold": 0.3, "mean": 0.7}


def test_threshold_and_mean_move_as_recorded():
    """The recorded batches are not kept, but their IoUs (from the running mean, the third value)
    and which neighbour won are."""
    metric = AdaptiveIoU()
    total = 0.0
    for batches, (threshold, mean, average) in enumerate(load_json("train.json")["adaptive_iou"]):
        iou = (batches + 1) * average - total
        total += iou
        moved = threshold - metric.threshold
        winner = 0 if abs(moved) < 1e-6 else (1 if moved < 0 else 2)
        sums = [iou - 0.1] * 3
        sums[winner] = iou
        metric.update(torch.tensor([*sums, 1, 1, 1, 1], dtype=torch.float64))
        assert metric.threshold == pytest.approx(threshold, abs=1e-12)
        assert metric.mean == pytest.approx(mean, abs=1e-6)
