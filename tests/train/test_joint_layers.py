"""Layers of the joint batch: two processes with half a batch each equal one with all of it."""

import pytest
import torch
from torch import nn

from ritm_edge.train.joint_layers import JointBatchNorm2d, JointDropout, join_layers

from .processes import run_team


def network() -> nn.Module:
    """In double precision, so that equal means equal; with means far from 0."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.3), nn.Conv2d(6, 2, 1)
    )
    layers.append(nn.BatchNorm2d(2))
    layers[0].bias.data += 30.0
    return layers.double().train()


def batch() -> torch.Tensor:
    return torch.randn((4, 3, 8, 8), generator=torch.Generator().manual_seed(1)).double()


def passes(layers: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradients of its weighted sum and buffers after one forward and backward."""
    x = x.clone().requires_grad_()
    torch.manual_seed(5)  # dropout
    output = layers(x)
    weights = torch.arange(64.0).double().view(8, 8)[: output.shape[2], : output.shape[3]].sin()
    (output.square() * weights).sum().backward()
    found = {"output": output.detach(), "input": x.grad}
    found |= {f"gradient {name}": p.grad for name, p in layers.named_parameters()}
    return found | {f"buffer {name}": b for name, b in layers.named_buffers()}


def half(team):
    layers = join_layers(network(), rank=team.rank, size=team.size)
    assert sum(isinstance(layer, JointBatchNorm2d) for layer in layers) == 2
    assert sum(isinstance(layer, JointDropout) for layer in layers) == 1
    return passes(layers, batch()[2 * team.rank : 2 * team.rank + 2])


def test_two_processes_equal_one_with_the_joint_batch():
    halves = run_team(half)
    whole = passes(network(), batch())
    assert whole.keys() == halves[0].keys()
    for name, expected in whole.items():
        if name.startswith("buffer"):
            for each in halves:
                torch.testing.assert_close(each[name], expected, msg=name)
            continue
        if name.startswith("gradient"):
            got = halves[0][name] + halves[1][name]
        else:
            got = torch.cat([each[name] for each in halves])
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9, msg=name)


def test_one_process_keeps_its_layers():
    layers = network()
    before = [type(layer) for layer in layers]
    assert [type(layer) for layer in join_layers(layers, rank=0, size=1)] == before


def test_outside_of_training_nothing_is_exchanged():
    layers = join_layers(network(), rank=0, size=2).eval()  # no team: an exchange would raise
    with torch.no_grad():
        torch.testing.assert_close(layers(batch()), network().eval()(batch()))
    with pytest.raises(ValueError, match="process group"):
        layers.train()(batch())
