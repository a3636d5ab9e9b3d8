"""Precision, clipping, averaging and timing of one training step."""

import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from ritm_edge.model.ritm import build_model
from ritm_edge.train.broken import BROKEN_LOG, BrokenFiles
from ritm_edge.train.dataset import ClickDataset
from ritm_edge.train.datasets import find_entries
from ritm_edge.train.distributed import DistributedContext
from ritm_edge.train.loader import batches
from ritm_edge.train.start import initialise
from ritm_edge.train.step import Trainer

from .photos import small_config

pytestmark = pytest.mark.usefixtures("tiny_networks")
ALONE = DistributedContext(0, 1, torch.device("cpu"))


def new_trainer(**changes) -> Trainer:
    torch.manual_seed(0)
    model = build_model("hrnet18s")
    initialise(model)
    return Trainer(model, small_config(**{"max_iterations": 1, **changes}), ALONE)


@pytest.fixture
def batch(photos):
    samples = ClickDataset(find_entries(("folder",), photos), small_config(), start=0)
    broken = BrokenFiles(photos / BROKEN_LOG, photos=4)
    return next(batches(samples, batch_size=2, workers=0, broken=broken))


def loss_of(result):
    return float(result.values[0])


def norm_of(result):
    return float(result.values[2])


def parameters(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_bfloat16_gives_nearly_the_same_step_and_keeps_float32_weights(batch):
    # Without corrections, which place their clicks where rounding decides.
    exact = new_trainer(max_iterations=0).step(batch, step=0, rate=1e-3)
    trainer = new_trainer(max_iterations=0, precision="bf16")
    half = trainer.step(batch, step=0, rate=1e-3)
    assert loss_of(half) != loss_of(exact)
    assert loss_of(half) == pytest.approx(loss_of(exact), rel=0.1)
    assert norm_of(half) != norm_of(exact)
    assert half.logits.dtype == torch.float32
    assert all(value.dtype != torch.bfloat16 for value in trainer.model.state_dict().values())


def test_float16_gradients_that_overflow_skip_the_step_and_lower_the_scale(batch):
    trainer = new_trainer(precision="fp16")
    trainer._scaler.load_state_dict({**trainer._scaler.state_dict(), "scale": 2.0**40})
    before = parameters(trainer.model)
    result = trainer.step(batch, step=0, rate=1e-3)
    assert result.values[3] == 1
    assert torch.equal(parameters(trainer.model), before)
    assert trainer.state_dict()["scaler"]["scale"] == 2.0**39
    trainer._scaler.load_state_dict({**trainer._scaler.state_dict(), "scale": 2.0**-10})
    usual = trainer.step(batch, step=0, rate=1e-3)
    assert math.isfinite(norm_of(usual))
    assert not torch.equal(parameters(trainer.model), before)


def test_a_long_gradient_is_shortened_to_the_limit_and_reported_as_it_was(batch):
    free, clipped = new_trainer(), new_trainer(grad_clip=0.01)
    norm = norm_of(free.step(batch, step=0, rate=0.0))
    assert norm_of(clipped.step(batch, step=0, rate=0.0)) == norm > 0.01
    for trainer, expected in ((free, norm), (clipped, 0.01)):
        gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
        assert gradients.norm().item() == pytest.approx(expected, rel=1e-3)


def test_averaged_weights_and_statistics_are_those_that_are_shipped(batch):
    trainer = new_trainer(ema_decay=0.75)
    key = "feature_extractor.conv1.weight"
    statistic = "feature_extractor.bn1.running_mean"
    expected: dict[str, torch.Tensor] = {}
    for step in range(3):
        trainer.step(batch, step=step, rate=1e-3)
        for name in (key, statistic):
            now = trainer.model.state_dict()[name].clone()
            expected[name] = now if step == 0 else 0.75 * expected[name] + 0.25 * now
    shipped = trainer.shipped_model.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(shipped[name], value, rtol=1e-5, atol=1e-8)
        assert not torch.equal(shipped[name], trainer.model.state_dict()[name])


def test_without_averaging_the_network_itself_is_shipped():
    trainer = new_trainer()
    assert trainer.shipped_model is trainer.model


def test_two_rates_for_new_and_for_pretrained_parameters(batch):
    trainer = new_trainer(backbone_lr_multiplier=0.1)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.step(batch, step=0, rate=2e-3)
    moved = {n: (p - before[n]).abs().max().item() for n, p in trainer.model.named_parameters()}
    assert moved["maps_transform.0.weight"] == pytest.approx(2e-3, rel=0.01)
    assert moved["feature_extractor.conv1.weight"] == pytest.approx(2e-4, rel=0.01)


def test_the_phases_of_a_step_are_told_in_order(batch):
    seen = []

    @contextmanager
    def watch(name):
        seen.append(name)
        yield

    new_trainer().step(batch, step=0, rate=1e-3, watch=watch)
    assert seen == ["batch", "corrections", "network", "forward", "backward", "optimiser"]


def test_a_compiled_network_takes_the_same_step(batch, monkeypatch):
    """The graph is captured as for a real compilation, which would take minutes, and then run as
    it is."""
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *a, **o: original(*a, backend="eager", **o))
    exact = new_trainer().step(batch, step=1, rate=1e-3)
    trainer = new_trainer(compile=True)
    compiled = trainer.step(batch, step=1, rate=1e-3)
    assert loss_of(compiled) == pytest.approx(loss_of(exact), rel=1e-4)
    assert norm_of(compiled) == pytest.approx(norm_of(exact), rel=1e-3)
    assert not any(name.startswith("_orig_mod") for name in trainer.model.state_dict())
