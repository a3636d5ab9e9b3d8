"""Last leg of the embedded weights: as the fifth, and some samples correct a damaged mask.

Otherwise the network has only ever seen its own answers as previous masks, and a click on a mask
from elsewhere can make it forget a part of that mask.
"""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_whole_objects import recipe as whole_objects


def recipe() -> TrainConfig:
    before = whole_objects()
    return replace(before, iterative=replace(before.iterative, damaged_start_probability=0.15))
