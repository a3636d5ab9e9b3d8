"""Layers that see the batch of all processes, so that a step does not depend on their number."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def join_layers(model: nn.Module, *, rank: int, size: int) -> nn.Module:
    """Replace batch norms and dropouts of `model`, in place and on its device already, by ones of
    the joint batch of `size` processes; 1 changes nothing. Names and values of parameters and
    buffers stay. On CUDA the batch norm is `torch.nn.SyncBatchNorm`, which does not exist for the
    CPU."""
    if size == 1:
        return model
    if next(model.parameters()).is_cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, _joint_batch_norm(child))
            elif isinstance(child, nn.Dropout2d | nn.Dropout):
                setattr(parent, name, JointDropout(child, rank=rank, size=size))
    return model


class JointBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose mean and variance are those of all processes' samples together.

    Every process must have as many values as every other.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        count = x.numel() // x.shape[1] * dist.get_world_size()
        mean = _sum_over_processes(values.sum(dim=(0, 2, 3))) / count
        centred = values - mean[:, None, None]
        # A second pass and not the mean of squares, which loses digits where the mean is large.
        variance = _sum_over_processes(centred.square().sum(dim=(0, 2, 3))) / count
        self._track(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        unbiased = variance * (count / (count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)


def _joint_batch_norm(layer: nn.BatchNorm2d) -> JointBatchNorm2d:
    joint = JointBatchNorm2d(layer.num_features, eps=layer.eps, momentum=layer.momentum)
    # The very tensors, so that nothing that already refers to them is lost.
    joint.weight, joint.bias = layer.weight, layer.bias
    joint.running_mean, joint.running_var = layer.running_mean, layer.running_var
    joint.num_batches_tracked = layer.num_batches_tracked
    return joint.train(layer.training)


class JointDropout(nn.Module):
    """Dropout that draws the joint batch's noise on the CPU and uses this process's part.

    With the same `torch.manual_seed` on every process the samples are dropped as one process
    with the whole batch would drop them.
    """

    def __init__(self, layer: nn.Dropout | nn.Dropout2d, *, rank: int, size: int) -> None:
        super().__init__()
        self.p = layer.p
        self.channelwise = isinstance(layer, nn.Dropout2d)
        self.rank = rank
        self.size = size
        self.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        batch = x.shape[0]
        shape = (x.shape[1], 1, 1) if self.channelwise else x.shape[1:]
        kept = torch.empty((batch * self.size, *shape)).bernoulli_(1 - self.p)
        own = kept[self.rank * batch : (self.rank + 1) * batch]
        return x * own.to(x).div_(1 - self.p)


class _Sum(torch.autograd.Function):
    """Sum over processes whose gradient is summed over processes too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def _sum_over_processes(value: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]  # of torch
    return total
