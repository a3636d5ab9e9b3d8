"""The model as apps run it: photo bytes, clicks and previous mask in, probabilities out."""

import torch
from torch import Tensor, nn

from ..io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec
from .ritm import RitmModel


class InferenceGraph(nn.Module):
    """Adds to `RitmModel` what the graph contract has inside: the division by 255 and the sigmoid.

    Nothing else changes; the auxiliary head stays because the context is gathered with it.
    """

    def __init__(self, model: RitmModel) -> None:
        super().__init__()
        self.model = model.eval()

    def forward(self, image: Tensor, clicks: Tensor, prev_mask: Tensor | None = None) -> Tensor:
        """Probabilities [1, 1, H, W]; inputs as in `io_spec`."""
        return torch.sigmoid(self.model(image / 255.0, clicks, prev_mask).mask_logits)


class DiskGraph(nn.Module):
    """Only the click maps, [1, 2, H, W]: exported alone to prove them bit-equal on a target."""

    def __init__(self, model: RitmModel, height: int, width: int) -> None:
        super().__init__()
        self.model = model
        self.height, self.width = height, width

    def forward(self, clicks: Tensor) -> Tensor:
        return self.model.encode_clicks(clicks, self.height, self.width)


def example_inputs(spec: IOSpec, *, seed: int = 0) -> dict[str, Tensor]:
    """Inputs for tracing: random photo and previous mask, one click of each sign.

    Args:
        spec: with `max_clicks`; a graph of any size is traced at 96×128.
        seed: of the random values.
    """
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
