"""One optimisation step of the published network, with the published weights and inputs."""

import copy

import numpy as np
import pytest
import torch

from ritm_edge.train.config import LossSettings, OptimizerSettings
from ritm_edge.train.losses import binary_cross_entropy, normalized_focal_loss
from ritm_edge.train.optimiser import at_full_rate, make_optimiser
from ritm_edge.train.step import total_loss

from ..golden_files import formula_model, load_arrays, load_json

CONFIGURATIONS = ("h18s", "h18_noprev", "h18_dt260", "h18_dmf", "r34_prev")


@pytest.fixture(scope="module")
def step():
    """The model before and after one step in float64, and what was measured on the way."""
    arrays = load_arrays("train.npz")
    model = formula_model("h18s").double().train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0  # as recorded
    before = copy.deepcopy(model)
    image = torch.from_numpy(arrays["step/image_u8"]).double() / 255
    prev_mask = torch.from_numpy(arrays["step/prev_u8"]).double() / 255
    labels = torch.from_numpy(arrays["step/gt"]).double()
    clicks = torch.from_numpy(arrays["step/points"]).double()
    output = model(image, clicks, prev_mask)
    loss = total_loss(output, labels, LossSettings())
    optimiser = make_optimiser(model, OptimizerSettings())
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    optimiser.step()
    losses = (
        normalized_focal_loss(output.mask_logits, labels).mean().item(),
        binary_cross_entropy(output.aux_logits, labels).mean().item(),
        loss.item(),
    )
    return {
        "before": before,
        "model": model,
        "output": output,
        "gradients": gradients,
        "losses": losses,
        "optimiser": optimiser,
        "expected": load_json("train.json")["step_f64"],
        "arrays": arrays,
    }


def test_logits_in_train_mode(step):
    for got, name in zip(step["output"], ("logits_f64", "logits_aux_f64"), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), step["arrays"][f"step/{name}"], atol=1e-5)


def test_losses(step):
    expected = step["expected"]
    np.testing.assert_allclose(
        step["losses"],
        (expected["instance_loss"], expected["aux_loss"], expected["total"]),
        rtol=1e-6,
    )


def test_the_gradient_of_every_parameter(step):
    norms = step["expected"]["grad_l2"]
    assert step["gradients"].keys() == norms.keys()
    for name, gradient in step["gradients"].items():
        np.testing.assert_allclose(float(gradient.norm()), norms[name], rtol=1e-4, atol=1e-9)
        if f"step/grad_f64/{name}" in step["arrays"]:
            expected = step["arrays"][f"step/grad_f64/{name}"]
            scale = np.abs(expected).max()
            np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-4 * scale, rtol=0)


def test_the_first_step_of_adam(step):
    before = dict(step["before"].named_parameters())
    for name, parameter in step["model"].named_parameters():
        expected = step["expected"]["adam_delta_linf"][name]
        moved = (parameter - before[name]).abs().max().item()
        np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-10)


def test_the_groups_of_the_optimiser(step):
    groups = {float(f"{g['lr']:g}"): len(g["params"]) for g in step["optimiser"].param_groups}
    recorded = load_json("train.json")["optimizer_groups"]
    assert groups == {float(rate): count for rate, count in recorded.items()}


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_rate_of_every_parameter_of_every_recorded_model(configuration):
    recorded = load_json("models.json")[configuration]
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    parameters = [name for name, _ in recorded["state_dict"] if not name.endswith(statistics)]
    full = {name for name in parameters if at_full_rate(name)}
    assert full == set(recorded["lr_mult_1"])
    assert 0 < len(full) < len(parameters)


def test_batch_norm_statistics(step):
    buffers = dict(step["model"].named_buffers())
    for name, (mean, deviation) in step["expected"]["bn_after"].items():
        values = buffers[name]
        np.testing.assert_allclose(float(values.mean()), mean, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(float(values.std()), deviation, rtol=1e-5)
