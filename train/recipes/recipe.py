"""What a file of this folder gives for each of its names."""

from dataclasses import dataclass

from ..config import TrainConfig


@dataclass(frozen=True)
class Recipe:
    """Named settings.

    Attributes:
        summary: in one line, for lists.
        config: the settings; of a run of the paper, the paper's.
        official: those of the official code, where it is known to differ from the paper.
    """

    summary: str
    config: TrainConfig
    official: TrainConfig | None = None
