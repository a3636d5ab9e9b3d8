"""HRNet-18s on the data and windows of the phone recipe, in batches half as large.

All parameters have the full rate: the embedded weights did not start from ImageNet.
"""

from ..config import TrainConfig
from ._phone import phone


def recipe() -> TrainConfig:
    return phone("hrnet18s", lr=8e-4, backbone=1.0, batch_size=56)
