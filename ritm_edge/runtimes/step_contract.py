"""What each session graph takes and gives; docs/session.md shows the loop around them.

Rectangles are float32 [4]: first row, last row, first column, last column; −1 for none. Photos are
lists of pixels, so that one length alone depends on their size.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec
from .contract import FLOAT32

# Lengths that may vary where the file's format lets them, and what a description calls them where
# it does not.
PIXELS, ROWS, COLUMNS = "pixels", "rows", "columns"
FIXED_LENGTHS = {PIXELS: "largest_photo", ROWS: "screen_rows", COLUMNS: "screen_columns"}

OUTPUT = "output"  # the network's, as it is carried from click to click

StepTensors = Mapping[str, tuple[str, tuple[int | str, ...]]]


class StepIO(NamedTuple):
    """Type and shape of the inputs and outputs of one graph by name; images are NCHW."""

    inputs: StepTensors
    outputs: StepTensors


def step_contract(io: IOSpec) -> dict[str, StepIO]:
    """The graphs beside a network of fixed size, by name."""
    assert io.size is not None
    side, slots = io.size, 2 * (io.max_clicks or 1)
    rect, size, output = (FLOAT32, (4,)), (FLOAT32, (2,)), (FLOAT32, side)
    mask = (FLOAT32, (1, 1, *side))
    network = {IMAGE: (FLOAT32, (1, 3, *side)), PREV_MASK: mask, CLICKS: (FLOAT32, (1, slots, 3))}
    if not io.prev_mask:
        del network[PREV_MASK]
    for_network = {f"net_{name}": tensor for name, tensor in network.items()}
    placed = {"new_placed": rect}
    steps: dict[str, Any] = {
        "prepare": (
            {
                "pixels": ("uint8", (PIXELS, 3)),
                "size": size,
                "clicks": (FLOAT32, (slots, 3)),
                OUTPUT: output,
                "placed": rect,
                "roi": rect,
            },
            {**for_network, **placed, "new_roi": rect},
        ),
        "finish": (
            {
                OUTPUT: output,
                "placed": rect,
                "rows": (FLOAT32, (ROWS,)),
                "columns": (FLOAT32, (COLUMNS,)),
            },
            {"mask": ("uint8", (ROWS, COLUMNS)), "box": rect},
        ),
        "mirror": (network, for_network),
        "average": ({"straight": mask, "mirrored": mask}, {OUTPUT: output}),
    }
    if io.prev_mask:
        begin = {"mask": ("uint8", (PIXELS, 1)), "size": size, "box": rect}
        steps["begin"] = begin, {OUTPUT: output, **placed}
    return {name: StepIO(*tensors) for name, tensors in steps.items()}


def with_lengths(tensors: StepTensors, lengths: Mapping[str, int | None]) -> dict[str, Any]:
    """The same with these lengths for those that may vary; None stands for any."""
    return {
        name: (kind, tuple(lengths[n] if isinstance(n, str) else n for n in shape))
        for name, (kind, shape) in tensors.items()
    }
