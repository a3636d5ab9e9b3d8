"""Seconds of the phases of a step; on a GPU, without waiting for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Phases that `Trainer.step` tells of in which the network is computed.
NETWORK = ("network", "forward", "backward")


class Stopwatch:
    """Times named phases on a device; a GPU notes the times itself, when it gets there."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._spans: list[tuple[str, Any, Any]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what is inside."""
        start = self._mark()
        yield
        self._spans.append((name, start, self._mark()))

    def read(self) -> dict[str, list[float]]:
        """Seconds of every time that each phase ran since the last reading; waits for a GPU."""
        on_gpu, seconds = self.device.type == "cuda", dict[str, list[float]]()
        if on_gpu:
            torch.cuda.synchronize(self.device)
        for name, start, end in self._spans:
            taken = start.elapsed_time(end) / 1000 if on_gpu else end - start
            seconds.setdefault(name, []).append(taken)
        self._spans.clear()
        return seconds

    def _mark(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event
