"""N_iters ablation: one correction without the previous mask; HRNet-18, COCO+LVIS."""

from ..config import TrainConfig
from ._published import iterative, with_iterations


def recipe() -> TrainConfig:
    return with_iterations(iterative("hrnet18", "coco-lvis"), 1, use_prev_mask=False)
