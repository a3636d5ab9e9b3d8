"""Fast depthwise gradients equal PyTorch's own."""

import pytest
import torch
from torch import nn

from ritm_edge import build_model
from ritm_edge.train.depthwise import FastDepthwise, use_fast_depthwise


@pytest.mark.parametrize("size", [(16, 16), (17, 12), (5, 9)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_values_and_gradients_are_those_of_a_plain_convolution(kernel, stride, size):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=False).double()
    fast = nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=False).double()
    fast.load_state_dict(plain.state_dict())
    use_fast_depthwise(fast)
    assert type(fast) is FastDepthwise
    x = torch.randn((3, 6, *size), dtype=torch.float64)
    results = []
    for layer in (plain, fast):
        given = x.clone().requires_grad_()
        output = layer(given)
        output.square().sum().backward()
        results.append((output, given.grad, layer.weight.grad))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_only_what_fits_is_replaced():
    model = build_model("lite0")
    use_fast_depthwise(model)
    kinds = {
        (type(m), m.groups > 1, m.bias is None) for m in model.modules() if isinstance(m, nn.Conv2d)
    }
    assert (FastDepthwise, True, True) in kinds
    # The click pyramid's have biases.
    assert (nn.Conv2d, True, False) in kinds
    assert (nn.Conv2d, True, True) not in kinds
    assert not any(kind is FastDepthwise and groups is False for kind, groups, _ in kinds)
