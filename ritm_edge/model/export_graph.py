"""Inputs with which converters trace a graph."""

import torch
from torch import Tensor

from ..io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec


def example_inputs(spec: IOSpec, *, seed: int = 0) -> dict[str, Tensor]:
    """Inputs for tracing: random photo and previous mask, one click of each sign; a graph of any
    size is traced at 96×128."""
    height, width = spec.size or (96, 128)
    generator = torch.Generator().manual_seed(seed)
    clicks = torch.full((1, 2 * (spec.max_clicks or 1), 3), -1.0)
    clicks[0, 0] = torch.tensor((height * 0.4, width * 0.6, 0.0))
    clicks[0, spec.max_clicks or 1] = torch.tensor((height * 0.8, width * 0.2, 1.0))
    image = torch.randint(0, 256, (1, 3, height, width), generator=generator).float()
    inputs = {IMAGE: image, CLICKS: clicks}
    if spec.prev_mask:
        inputs[PREV_MASK] = torch.rand((1, 1, height, width), generator=generator)
    return inputs
