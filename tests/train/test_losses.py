"""Losses and their gradients against the published implementation."""

import numpy as np
import pytest
import torch

from ritm_edge.train.losses import (
    LOSSES,
    binary_cross_entropy,
    focal_loss,
    normalized_focal_loss,
    soft_iou_loss,
)

from ..golden_files import load_arrays, load_json

VARIANTS = {
    "nfl_a0.5_g2": (normalized_focal_loss, {}),
    "nfl_a0.25_g1.5": (normalized_focal_loss, {"alpha": 0.25, "gamma": 1.5}),
    "nfl_max_mult1.5": (normalized_focal_loss, {"max_multiplier": 1.5}),
    "nfl_nodetach": (normalized_focal_loss, {"detach_multiplier": False}),
    "nfl_sum": (normalized_focal_loss, {"average": False}),
    "focal_a0.5_g2": (focal_loss, {}),
    "focal_a0.25_g2": (focal_loss, {"alpha": 0.25}),
    "softiou": (soft_iou_loss, {}),
    "bce": (binary_cross_entropy, {}),
}
LABELS = ("base", "all_ignored_0", "background_1")
SOFT = ("nfl_a0.5_g2", "softiou", "bce")  # soft targets were recorded for these only
CASES = [f"{v}/{labels}" for v in VARIANTS for labels in LABELS] + [f"{v}/soft" for v in SOFT]


def test_every_recorded_case_is_compared():
    assert sorted(CASES) == sorted(load_json("losses.json")["cases"])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_the_published_ones(case, precision):
    arrays = load_arrays("losses.npz")
    variant, label_name = case.split("/")
    loss, options = VARIANTS[variant]
    suffix, dtype = ("", torch.float32) if precision == "float32" else ("_f64", torch.float64)
    logits = torch.from_numpy(arrays["logits"]).to(dtype).requires_grad_()
    labels = torch.from_numpy(arrays[f"label_{label_name}"]).to(dtype)

    values = loss(logits, labels, **options)
    values.mean().backward()

    expected = load_json("losses.json")["cases"][case][f"value{suffix}"]
    rtol = 2e-6 if precision == "float32" else 1e-12
    np.testing.assert_allclose(values.detach().numpy(), expected, rtol=rtol, atol=1e-7)
    gradient = arrays[f"{case}/grad{suffix}"]
    # The third sample has logits where float32 forms q = 1 - |label - p| as exactly 0: its spikes
    # (up to 1e4) come out the same because the formula is the same.
    np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=50 * rtol, atol=1e-9)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_ignored_pixels_have_no_gradient(name):
    logits = torch.randn((1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    labels = torch.zeros_like(logits)
    labels[..., :4, :] = 1
    labels[..., 4:] = -1
    logits.requires_grad_()
    LOSSES[name](logits, labels).sum().backward()
    assert not logits.grad[..., 4:].any()
    assert logits.grad[..., :4].abs().min() > 0


@pytest.mark.parametrize("name", ["nfl", "focal", "soft_iou"])
def test_ignored_pixels_do_not_count(name):
    logits = torch.randn((1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    labels = torch.zeros_like(logits)
    labels[..., :4, :] = 1
    half_ignored = labels.clone()
    half_ignored[..., 4:] = -1
    torch.testing.assert_close(
        LOSSES[name](logits, half_ignored), LOSSES[name](logits[..., :4], labels[..., :4])
    )
