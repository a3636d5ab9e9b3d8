"""python scripts/average_weights.py A B RESULT: the mean of two checkpoints of one model.

Where B was trained on from A, the mean often needs fewer clicks than both ("model soups",
arXiv:2203.05482): the embedded lite0 is such a mean.
"""

import sys
from pathlib import Path

from ritm_edge.model.checkpoint import load_checkpoint, save_safetensors


def main(first: Path, second: Path, result: Path) -> None:
    """Write (first + second) / 2, batch-norm statistics too; counts are those of the second."""
    old = load_checkpoint(first)
    new = load_checkpoint(second, model=old.config.name)
    before = old.state_dict()
    mean = {
        name: (before[name] + value) / 2 if value.is_floating_point() else value
        for name, value in new.state_dict().items()
    }
    new.load_state_dict(mean)
    save_safetensors(new, result)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
