"""Parts of a step that a GPU repeats by itself: their launches are captured once, as CUDA graphs.

A network of many small layers keeps the host busy for longer than the GPU: without graphs, most of
the time of an HRNet-18s step is spent on launching it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

Values = dict[str, Tensor]
Part = Callable[[Values], None]
# These run as they are, so that libraries choose their algorithms before anything is captured.
CALLS_BEFORE = 2


class Repeated:
    """Named parts that are run one after another, on tensors of the same shapes every time.

    Args:
        parts: functions without random decisions of the host, which read tensors from the values
            they are given and add others.
        results: names of the values that a call returns.
        pool: memory that all graphs of a process share, from `torch.cuda.graph_pool_handle()`;
            graphs are replayed in any order, since results are copied at once. None runs the parts
            as they are, always.
    """

    def __init__(self, parts: Mapping[str, Part], results: tuple[str, ...], pool: Any) -> None:
        self.parts = parts
        self.results = results
        self.pool = pool
        self._calls = 0
        self._graphs: dict[str, torch.cuda.CUDAGraph] = {}
        self._given: Values = {}
        self._values: Values = {}

    def __call__(
        self, given: Values, watch: Callable[[str], AbstractContextManager[None]]
    ) -> Values:
        """Run all parts on `given`, each timed by `watch` under its name."""
        self._calls += 1
        if self.pool is None or self._calls <= CALLS_BEFORE:
            values = dict(given)
            for name, part in self.parts.items():
                with watch(name):
                    part(values)
            return {name: values[name] for name in self.results}
        if not self._graphs:
            self._capture(given)
        for name, place in self._given.items():
            place.copy_(given[name])
        for name, graph in self._graphs.items():
            with watch(name):
                graph.replay()
        return {name: self._values[name].clone() for name in self.results}

    def _capture(self, given: Values) -> None:
        self._given = {name: value.clone() for name, value in given.items()}
        values = dict(self._given)
        for name, part in self.parts.items():
            graph = torch.cuda.CUDAGraph()
            # Other threads go on meanwhile: one of the loader's pins memory.
            with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
                part(values)
            self._graphs[name] = graph
        self._values = {name: values[name] for name in self.results}
