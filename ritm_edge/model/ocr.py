"""Object-contextual representation head (arXiv:1909.11065) for one object class."""

import torch
from torch import Tensor, nn

from .layers import BatchNormReLU, conv1x1


def gather_context(features: Tensor, logits: Tensor) -> Tensor:
    """Mean feature of each class region, weighted by a spatial softmax of its logits: [B, C,
    classes, 1] from features [B, C, H, W] and logits [B, classes, H, W]."""
    weights = torch.softmax(logits.flatten(2), dim=2)
    return torch.matmul(features.flatten(2), weights.transpose(1, 2)).unsqueeze(3)


class ObjectAttention(nn.Module):
    """Attention of every pixel to the class contexts.

    With the single class of this model the softmax has length one and is identically 1, so
    `f_pixel` and `f_object` never influence the output. They are kept, and computed, because the
    published checkpoints contain them and their batch norms keep statistics while training.
    """

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        self.key_channels = key_channels
        self.f_pixel = self._two_projections(channels, key_channels)
        self.f_object = self._two_projections(channels, key_channels)
        self.f_down = nn.Sequential(conv1x1(channels, key_channels), BatchNormReLU(key_channels))
        self.f_up = nn.Sequential(conv1x1(key_channels, channels), BatchNormReLU(channels))

    @staticmethod
    def _two_projections(channels: int, key_channels: int) -> nn.Sequential:
        return nn.Sequential(
            conv1x1(channels, key_channels),
            BatchNormReLU(key_channels),
            conv1x1(key_channels, key_channels),
            BatchNormReLU(key_channels),
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        batch, _, height, width = features.shape
        query = self.f_pixel(features).flatten(2).transpose(1, 2)
        key = self.f_object(context).flatten(2)
        value = self.f_down(context).flatten(2).transpose(1, 2)
        similarity = torch.matmul(query, key) * self.key_channels**-0.5
        attended = torch.matmul(torch.softmax(similarity, dim=-1), value)
        attended = attended.transpose(1, 2).reshape(batch, self.key_channels, height, width)
        result: Tensor = self.f_up(attended)
        return result


class ObjectContextHead(nn.Module):
    """Concatenates the attended context with the pixel features and mixes them."""

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        self.object_context_block = ObjectAttention(channels, key_channels)
        self.conv_bn_dropout = nn.Sequential(
            conv1x1(2 * channels, channels), BatchNormReLU(channels), nn.Dropout2d(0.05)
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        attended = self.object_context_block(features, context)
        mixed: Tensor = self.conv_bn_dropout(torch.cat((attended, features), dim=1))
        return mixed
