"""The graph contract: names, shapes, types and ranges of every tensor, in one place.

| tensor    | shape     | type    | meaning                                                      |
|-----------|-----------|---------|--------------------------------------------------------------|
| image     | 1×3×H×W   | float32 | RGB in 0…255 (whole numbers for a photo, fractions allowed)  |
| clicks    | 1×2K×3    | float32 | (row, column, order): K positive slots, then K negative ones |
| prev_mask | 1×1×H×W   | float32 | probabilities of the previous step; zeros at first           |
| → mask    | 1×1×H×W   | float32 | object probability                                           |

An empty slot is −1 −1 −1. Files may store images as NHWC (TFLite does); `Runtime.run` is NCHW.
"""

from dataclasses import asdict, dataclass
from typing import Any

from .errors import UsageError

IMAGE = "image"
CLICKS = "clicks"
PREV_MASK = "prev_mask"
MASK = "mask"
# Only the PyTorch runtime has it: the logits behind `mask`, exact where probabilities saturate.
MASK_LOGITS = "mask_logits"

EMPTY_SLOT = -1.0
MASK_THRESHOLD = 0.49  # published: a pixel is object above this probability
DEFAULT_SIZE = (400, 400)  # the zoom-in size of the published evaluation
DEFAULT_MAX_CLICKS = 24
MAX_SIDE = 4096
MAX_CLICKS_LIMIT = 512


# Of one tensor, NCHW; None where any length is accepted.
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class IOSpec:
    """Shapes one graph accepts.

    Attributes:
        height: H in pixels, or None where any height is accepted.
        width: W in pixels, or None.
        max_clicks: K, slots per sign; None where any number is accepted (PyTorch only).
        prev_mask: whether the graph has the `prev_mask` input.
    """

    height: int | None = None
    width: int | None = None
    max_clicks: int | None = DEFAULT_MAX_CLICKS
    prev_mask: bool = True

    def __post_init__(self) -> None:
        if (self.height is None) != (self.width is None):
            raise UsageError("give both height and width, or neither.")
        for name, value in (("height", self.height), ("width", self.width)):
            if value is not None and not 32 <= value <= MAX_SIDE:
                raise UsageError(f"the {name} is {value}: use 32 to {MAX_SIDE} pixels.")
        if self.max_clicks is not None and not 1 <= self.max_clicks <= MAX_CLICKS_LIMIT:
            raise UsageError(
                f"the number of clicks per sign is {self.max_clicks}: use 1 to {MAX_CLICKS_LIMIT}."
            )

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W), or None where any size is accepted."""
        if self.height is None or self.width is None:
            return None
        return self.height, self.width

    @property
    def input_names(self) -> tuple[str, ...]:
        return (IMAGE, CLICKS, PREV_MASK) if self.prev_mask else (IMAGE, CLICKS)

    def shapes(self, size: tuple[int, int] | None = None) -> dict[str, Shape]:
        """Shape by name, NCHW: the inputs in order, then `mask`; `size` is for graphs of any."""
        height, width = self.size or size or (None, None)
        slots = None if self.max_clicks is None else 2 * self.max_clicks
        shapes: dict[str, Shape] = {
            IMAGE: (1, 3, height, width),
            CLICKS: (1, slots, 3),
            PREV_MASK: (1, 1, height, width),
        }
        return {**{n: shapes[n] for n in self.input_names}, MASK: (1, 1, height, width)}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
