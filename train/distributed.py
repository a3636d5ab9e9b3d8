"""One run on several processes: their ranks, and what they exchange."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ritm_edge.errors import TrainingError, UsageError

# Long enough for a validation on one process while the others wait for it.
TIMEOUT = timedelta(hours=2)


@dataclass(frozen=True)
class DistributedContext:
    """The processes of a run: the number of this one, from 0 (which writes files and messages), how
    many there are over all nodes (one alone is a team of size 1), and the device of this one."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Samples of a joint batch that each process takes. Raises UsageError: the batch cannot be
        divided equally."""
        if batch_size % self.size:
            raise UsageError(
                f"a batch of {batch_size} cannot be divided among {self.size} processes: choose a "
                f"batch size that is a multiple of {self.size}."
            )
        return batch_size // self.size

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes; every process gets it."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether some process passes True; every process gets the same answer."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0)

    def gather(self, value: Any) -> list[Any]:
        """What every process passes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


@contextmanager
def joined_team(device: str | None = None) -> Iterator[DistributedContext]:
    """The team that `torchrun` started, or this process alone; a device of None takes CUDA where
    there is one, under torchrun one per process of a node. Raises UsageError: more processes on
    this node than it has GPUs; TrainingError: another process of the team has ended."""
    size, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_RANK", 0))
    if device is None and torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise UsageError(
                f"process {local} of this node finds {torch.cuda.device_count()} GPUs: start at "
                "most one process per GPU with --nproc-per-node."
            )
        device = f"cuda:{local}"
    chosen = torch.device(device or "cpu")
    if size == 1:
        yield DistributedContext(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield DistributedContext(dist.get_rank(), size, chosen)
    except RuntimeError as error:
        # Gloo's errors have no type of their own.
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise TrainingError(
            "another process of the run has ended: see its message, then repeat the command with "
            "--resume."
        ) from error
    finally:
        dist.destroy_process_group()
