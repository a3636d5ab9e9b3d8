"""Batches from worker processes, whose errors arrive unchanged."""

import ctypes
import os
import signal
import sys
from collections.abc import Generator, Iterator

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ritm_edge.errors import RitmEdgeError, TrainingError

from .broken import BrokenFiles, Problem
from .dataset import ClickDataset, Sample

PR_SET_PDEATHSIG = 1
Drawn = tuple[Sample, list[Problem]]


class _Guarded(Dataset[Drawn | RitmEdgeError]):
    """Returns errors instead of raising them: a DataLoader would put the worker's traceback into
    their message."""

    def __init__(self, samples: ClickDataset) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Drawn | RitmEdgeError:
        try:
            return self.samples.draw(index)
        except RitmEdgeError as error:
            return error

    def collate(self, drawn: list[Drawn | RitmEdgeError]) -> Drawn | RitmEdgeError:
        samples: list[Sample] = []
        problems: list[Problem] = []
        for item in drawn:
            if isinstance(item, RitmEdgeError):
                return item
            samples.append(item[0])
            problems += item[1]
        return self.samples.join(samples), problems


def _start_worker(_: int) -> None:
    if sys.platform == "linux":  # to end with the parent, however that ends
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    cv2.setNumThreads(0)  # the workers are the parallelism
    # Ctrl-C and schedulers signal the whole process group: leave it, so that the parent alone
    # decides when to stop and still gets the batches it waits for.
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Share(Sampler[int]):
    """One process's places in the joint batches, which follow each other through all samples."""

    def __init__(self, samples: int, *, batch_size: int, rank: int, processes: int) -> None:
        self.starts = range(rank * batch_size, samples, batch_size * processes)
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[int]:
        return (start + place for start in self.starts for place in range(self.batch_size))

    def __len__(self) -> int:
        return len(self.starts) * self.batch_size


def batches(
    samples: ClickDataset,
    *,
    batch_size: int,
    workers: int,
    broken: BrokenFiles,
    rank: int = 0,
    processes: int = 1,
) -> Generator[Sample, None, None]:
    """All samples in order, as batches of tensors [B, …]; close it to end the workers (0 loads in
    this process). `broken` is told what could not be read, and stops the run where that is too
    much.

    With several processes the joint batch, of which `samples` holds a whole number, has B ×
    `processes` samples, and this is the part of the process `rank`. Raises TrainingError: too many
    photos cannot be used, or a worker died.
    """
    guarded = _Guarded(samples)
    loader = DataLoader(
        guarded,
        batch_size=batch_size,
        sampler=_Share(len(samples), batch_size=batch_size, rank=rank, processes=processes),
        num_workers=workers,
        collate_fn=guarded.collate,
        pin_memory=torch.cuda.is_available(),  # from there a GPU copies by itself
        worker_init_fn=_start_worker,
    )
    iterator = iter(loader)
    try:
        while True:
            try:
                batch = next(iterator)
            except StopIteration:
                return
            except (RuntimeError, ConnectionError, EOFError) as error:
                if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                    raise
                raise TrainingError(
                    "a data-loading process died, probably for lack of memory: resume with fewer "
                    "--workers (0 loads in the main process)."
                ) from error
            if isinstance(batch, RitmEdgeError):
                raise batch
            broken.add(batch[1])
            yield batch[0]
    finally:
        # Ends the workers now; a raised error would keep this frame, and so them, alive.
        del iterator
