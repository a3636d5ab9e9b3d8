"""Pictures of a session click by click, as in the paper's Figures 1 and 5."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.clicks import Click
from ritm_edge.evaluation.metrics import iou
from ritm_edge.evaluation.simulator import next_click
from ritm_edge.imaging.overlay import overlay
from ritm_edge.optional import require
from ritm_edge.runtimes.base import Runtime
from ritm_edge.session.interactive import InteractiveSession

PICTURE_INCHES = 2.4


@dataclass(frozen=True)
class Step:
    """One picture: RGB uint8 [H, W, 3] and the words below it."""

    picture: NDArray[np.uint8]
    caption: str


def simulated_steps(
    runtime: Runtime,
    image: NDArray[np.uint8],
    truth: NDArray[np.integer[Any]],
    *,
    clicks: int,
    start: NDArray[np.bool_] | None = None,
) -> list[Step]:
    """A session of the simulated user as in `evaluate_sample`, with the IoU after each click.

    Args:
        runtime: any.
        image: uint8 [H, W, 3], RGB.
        truth: integers [H, W]: 1 object, −1 ignored.
        clicks: how many.
        start: an external mask to correct, bool [H, W]; None starts from nothing.

    Returns:
        The photo with the true outline (or with the external mask), then one step per click.
    """
    session = InteractiveSession(runtime, protocol="published" if start is None else "app")
    session.set_image(image)
    if start is None:
        steps = [Step(overlay(image, truth == 1), "true object")]
    else:
        session.set_mask(start.astype(np.float32))
        steps = [Step(overlay(image, start), f"external mask: {iou(truth, start):.1%}")]
    mask = session.mask
    clicked: set[tuple[int, int]] = set()
    for order in range(clicks):
        click = next_click(truth, mask, clicked, order=order)
        clicked.add((int(click.row), int(click.column)))
        mask = session.click(click.row, click.column, positive=click.positive)
        caption = f"{order + 1}: {iou(truth, mask):.1%}"
        steps.append(Step(overlay(image, mask, session.clicks), caption))
    return steps


def scripted_steps(
    runtime: Runtime,
    image: NDArray[np.uint8],
    clicks: Sequence[Click],
) -> list[Step]:
    """A session (of the app's protocol) of given clicks on a photo without a true mask.

    Args: as `simulated_steps`.
    """
    session = InteractiveSession(runtime)
    session.set_image(image)
    steps = [Step(image, "photo")]
    for number, click in enumerate(clicks, start=1):
        session.click(click.row, click.column, positive=click.positive)
        steps.append(Step(overlay(image, session.mask, session.clicks), str(number)))
    return steps


def draw_gallery(rows: Sequence[Sequence[Step]], path: Path) -> None:
    """One row of pictures per session; the format goes by the suffix of `path`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require("matplotlib", extra="report")
    from matplotlib.figure import Figure

    columns = max(len(row) for row in rows)
    heights = [max(s.picture.shape[0] / s.picture.shape[1] for s in row) for row in rows]
    figure = Figure(
        figsize=(columns * PICTURE_INCHES, sum(h * PICTURE_INCHES + 0.3 for h in heights)),
        layout="constrained",
    )
    panels = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for line, row in zip(panels, rows, strict=True):
        for panel in line:
            panel.set_axis_off()
        for panel, step in zip(line, row, strict=False):
            panel.imshow(step.picture)
            panel.set_title(step.caption, fontsize="medium")
    figure.savefig(path, dpi=130)
