"""N_iters ablation: up to 2 corrections without the previous mask; HRNet-18, COCO+LVIS."""

from ..config import TrainConfig
from ._published import iterative, with_iterations


def recipe() -> TrainConfig:
    return with_iterations(iterative("hrnet18", "coco-lvis"), 2, use_prev_mask=False)
