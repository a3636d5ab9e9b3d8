"""EfficientNet-Lite0 for phones, from ImageNet weights: large batches of windows of all sizes.

The embedded weights saw crops of 256, 320 and 400 pixels, in batches of 160, 112 and 80; each size
starts from the weights of the one before (docs/training.md).
"""

from ..config import TrainConfig
from ._phone import phone


def recipe() -> TrainConfig:
    return phone("lite0", lr=2e-3, backbone=0.3, batch_size=112)
