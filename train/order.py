"""Which photo is drawn at which position of a run."""

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import TrainingError

from .config import TrainConfig
from .datasets import Entry
from .schedule import RunLength


def draw_probabilities(entries: list[Entry], config: TrainConfig) -> NDArray[np.float64]:
    """Chance of each photo so that sets come in the proportions of `data.set_weights`. Raises
    TrainingError: every set that is there has the weight 0."""
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.set_name] = counts.get(entry.set_name, 0) + 1
    share = {name: count / len(entries) for name, count in counts.items()}
    weights = config.data.set_weights
    share.update({name: weight for name, weight in weights.items() if name in counts})
    chances = np.array([share[entry.set_name] / counts[entry.set_name] for entry in entries])
    if not chances.sum() > 0:
        raise TrainingError(f"every set ({', '.join(counts)}) has the weight 0: raise one.")
    return np.asarray(chances / chances.sum(), np.float64)


class DrawOrder:
    """Photo at each position: random draws, or every photo once per epoch in a random order. It
    depends on (seed, position) alone: the number of processes and a resume change nothing. Raises
    TrainingError: as `draw_probabilities`."""

    def __init__(self, entries: list[Entry], config: TrainConfig, length: RunLength) -> None:
        self.count = len(entries)
        self.seed = config.run.seed
        self.per_epoch = length.steps_per_epoch * config.data.batch_size
        self.cumulative = np.cumsum(draw_probabilities(entries, config))
        # Weights, an epoch of its own length, or fewer photos than a batch cannot be a permutation.
        self.replace = bool(
            config.data.set_weights or config.data.epoch_samples or self.per_epoch > self.count
        )
        self._epoch = -1
        self._permutation = np.arange(0)

    def draw(self, rng: np.random.Generator) -> int:
        """Any photo, by the weights."""
        chosen = int(np.searchsorted(self.cumulative, rng.random(), side="right"))
        return min(chosen, self.count - 1)

    def at(self, position: int, rng: np.random.Generator) -> int:
        """The photo at `position` ≥ 0; `rng` is the position's own."""
        if self.replace:
            return self.draw(rng)
        epoch, place = divmod(position, self.per_epoch)
        if epoch != self._epoch:
            generator = np.random.default_rng((self.seed, 2, epoch))
            self._permutation = generator.permutation(self.count)
            self._epoch = epoch
        return int(self._permutation[place])
