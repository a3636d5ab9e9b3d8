"""What a file of this folder gives for each of its names."""

from dataclasses import dataclass

from ..config import TrainConfig


@dataclass(frozen=True)
class Recipe:
    """Named settings, with a line for lists; of a run of the paper, `config` is the paper's and
    `official` that of the official code, where it is known to differ."""

    summary: str
    config: TrainConfig
    official: TrainConfig | None = None
