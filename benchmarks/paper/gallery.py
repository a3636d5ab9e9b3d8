"""Pictures of a session, click by click, as in the paper's Figures 1 and 5."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ritm_edge.clicks import Click
from ritm_edge.data import Sample
from ritm_edge.evaluation.damaged_mask import damaged_mask
from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.evaluation.metrics import iou
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
    runtime: Runtime, sample: Sample, *, clicks: int, start_iou: float | None = None
) -> list[Step]:
    """A session of the simulated user as in `evaluate_sample`: the photo with the true outline, or
    with the external mask of this IoU that is to be corrected, then one step per click with its
    IoU."""
    image, truth = sample.load()
    steps = [Step(overlay(image, truth == 1), "true object")]
    if start_iou is not None:
        start = damaged_mask(truth, start_iou, name=sample.name)
        steps = [Step(overlay(image, start), f"external mask: {iou(truth, start):.1%}")]

    def observe(session: InteractiveSession, value: float) -> None:
        picture = overlay(image, session.mask, session.clicks)
        steps.append(Step(picture, f"{len(steps)}: {value:.1%}"))

    settings = EvaluationSettings(max_clicks=clicks, start_iou=start_iou)
    evaluate_sample(runtime, sample, settings, observe=observe)
    return steps


def scripted_steps(
    session: InteractiveSession, image: NDArray[np.uint8], clicks: Sequence[Click]
) -> list[Step]:
    """Given clicks on a photo, uint8 [H, W, 3] RGB, with a fresh session, which keeps the mask."""
    session.set_image(image)
    steps = [Step(image, "photo")]
    for number, click in enumerate(clicks, start=1):
        session.click(click.row, click.column, positive=click.positive)
        steps.append(Step(overlay(image, session.mask, session.clicks), str(number)))
    return steps


def draw_gallery(rows: Sequence[Sequence[Step]], path: Path) -> None:
    """One row of pictures per session; the format goes by the suffix of `path`. Raises
    MissingExtraError: matplotlib is not installed."""
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
