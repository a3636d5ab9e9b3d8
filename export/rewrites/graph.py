"""The inference graph cut into the parts that rewrites replace."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.ritm import RitmModel


class Normalise(nn.Module):
    """Photo [B, 3, H, W], 0…255, to what the network was trained on, as the baseline graph does."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: RitmModel) -> None:
        super().__init__()
        self.register_buffer("mean", model.mean)
        self.register_buffer("std", model.std)

    def forward(self, image: Tensor) -> Tensor:
        return (image / 255.0 - self.mean) / self.std


class EncodeClicks(nn.Module):
    """Clicks [B, 2K, 3] to click maps [B, 2, H, W], as the baseline graph does."""

    def __init__(self, model: RitmModel) -> None:
        super().__init__()
        self._encode = model.encode_clicks

    def forward(self, clicks: Tensor, height: int, width: int) -> Tensor:
        return self._encode(clicks, height, width)


class RewritableGraph(nn.Module):
    """The model as apps run it: photo bytes, clicks and previous mask in, probabilities out.

    Rewrites swap its parts and those of its model.
    """

    def __init__(self, model: RitmModel) -> None:
        super().__init__()
        self.model = model
        self.normalise: nn.Module = Normalise(model)
        self.encode_clicks: nn.Module = EncodeClicks(model)

    def forward(self, image: Tensor, clicks: Tensor, prev_mask: Tensor | None = None) -> Tensor:
        """Probabilities [1, 1, H, W]; inputs as in `io_spec`."""
        height, width = image.shape[2:]
        maps = self.encode_clicks(clicks, height, width)
        if prev_mask is not None:
            maps = torch.cat((prev_mask, maps), dim=1)
        return torch.sigmoid(self.model.segment(self.normalise(image), maps).mask_logits)


def is_fixed(size: int) -> bool:
    """Whether a height or width is a number in the graph that is being exported.

    Then a maximum or mean over it can be a pooling, which more devices know than reductions.
    """
    return not isinstance(size, torch.SymInt)


@dataclass(frozen=True)
class Rewrite:
    """One pass.

    Attributes:
        name: as stored in artifacts and taken by `bench rewrites`.
        apply: changes the graph in place; False where there was nothing to do, because the model
            has another architecture or the size is open.
    """

    name: str
    apply: Callable[[RewritableGraph, IOSpec], bool]
