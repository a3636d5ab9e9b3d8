"""Losses and their gradients against the published implementation."""

import numpy as np
import pytest
import torch

from ritm_edge.train.losses import binary_cross_entropy, normalized_focal_loss

from ..golden import load_arrays, load_json
from ..paths import requires_golden

LOSSES = {
    "nfl_a0.5_g2": lambda x, y: normalized_focal_loss(x, y, alpha=0.5, gamma=2.0),
    "nfl_a0.25_g1.5": lambda x, y: normalized_focal_loss(x, y, alpha=0.25, gamma=1.5),
    "bce": binary_cross_entropy,
}
CASES = [
    f"{loss}/{labels}"
    for loss in LOSSES
    for labels in ("base", "all_ignored_0", "background_1", "soft")
    if (loss, labels) != ("nfl_a0.25_g1.5", "soft")  # not recorded
]


@requires_golden
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_the_published_ones(case, precision):
    arrays = load_arrays("losses.npz")
    loss, label_name = case.split("/")
    suffix, dtype = ("", torch.float32) if precision == "float32" else ("_f64", torch.float64)
    logits = torch.from_numpy(arrays["logits"]).to(dtype).requires_grad_()
    labels = torch.from_numpy(arrays[f"label_{label_name}"]).to(dtype)

    values = LOSSES[loss](logits, labels)
    values.mean().backward()

    expected = load_json("losses.json")["cases"][case][f"value{suffix}"]
    rtol = 2e-6 if precision == "float32" else 1e-12
    np.testing.assert_allclose(values.detach().numpy(), expected, rtol=rtol, atol=1e-7)
    gradient = arrays[f"{case}/grad{suffix}"]
    # The third sample has logits where float32 forms q = 1 - |label - p| as exactly 0: its spikes
    # (up to 1e4) come out the same because the formula is the same.
    np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=50 * rtol, atol=1e-9)


def test_ignored_pixels_have_no_gradient_and_do_not_count_as_valid():
    logits = torch.randn((1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    labels = torch.zeros_like(logits)
    labels[..., :4, :] = 1
    half_ignored = labels.clone()
    half_ignored[..., 4:] = -1
    whole = logits.clone().requires_grad_()
    value = normalized_focal_loss(whole, half_ignored)
    value.sum().backward()

    torch.testing.assert_close(value, normalized_focal_loss(logits[..., :4], labels[..., :4]))
    assert not whole.grad[..., 4:].any()
    assert whole.grad[..., :4].abs().min() > 0
