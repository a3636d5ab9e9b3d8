"""A network small enough to convert at 1024×1024, and clicks that low precision would misplace."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ritm_edge.export.calibration import Inputs
from ritm_edge.export.rewrites import rewrite
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.ritm import RitmModel

from ..models import tiny_model


class PaintedGraph(nn.Module):
    """Disks of the real model beside the photo and previous mask, then two convolutions.

    Args:
        rewritten: paint them as default artifacts do; else as the baseline graph.
    """

    def __init__(self, *, rewritten: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model: RitmModel = tiny_model()
        passes = ("windowed_disks",) if rewritten else ()
        graph, _ = rewrite(self.model, IOSpec(64, 64), passes)
        encode = graph.encode_clicks
        assert isinstance(encode, nn.Module)
        self.encode_clicks = encode
        self.features = nn.Conv2d(6, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor, clicks: Tensor, prev_mask: Tensor) -> Tensor:
        disks = self.encode_clicks(clicks, *image.shape[2:])
        seen = torch.cat((image / 255.0, prev_mask, disks), dim=1)
        return torch.sigmoid(self.head(torch.relu(self.features(seen))))


def awkward_clicks(height: int, width: int, slots: int) -> NDArray[np.float32]:
    """float32 [sets, 1, 2K, 3]: far, fractional, half outside; distances of exactly 5 occur."""
    places = [
        (399.5, 399.5),
        (-0.5, 10.0),
        (255.49, 255.49),
        (height - 1, width - 1),
        (height - 0.5, 3.0),
        (20.0, -4.75),
        (height / 2 + 0.25, width / 3 + 0.125),
        (1000.3, 1023.49),
    ]
    sets = np.full((len(places) + 1, 1, 2 * slots, 3), -1.0, np.float32)
    for index, place in enumerate(places):
        sets[index, 0, index % 2 * slots] = (*place, 0)
        # The last set has all of them.
        sets[-1, 0, index % 2 * slots + index // 2 % slots] = (*place, index)
    return sets


def random_inputs(height: int, width: int, slots: int, count: int) -> list[Inputs]:
    """Noise with a click: enough to calibrate a network of noise."""
    rng = np.random.default_rng(0)
    clicks = awkward_clicks(height, width, slots)
    return [
        {
            "image": rng.integers(0, 256, (1, 3, height, width)).astype(np.float32),
            "clicks": clicks[index % len(clicks)],
            "prev_mask": rng.random((1, 1, height, width), np.float32),
        }
        for index in range(count)
    ]
