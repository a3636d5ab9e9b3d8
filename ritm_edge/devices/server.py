"""Serves one runtime over standard input and output: `python -m ritm_edge.devices.server`.

One process per runtime: thread pools, memory and library versions cannot disturb each other, and
cold start and peak memory belong to one alone.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..errors import RitmEdgeError
from ..io_spec import MASK
from ..runtimes.base import ModelFile, Runtime
from . import arrays
from .inputs import round_inputs


class Server:
    """Answers one request after the other; each public method is one request."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None

    def open(self, path: str, threads: int | None, allow_changed: bool) -> dict[str, Any]:
        """Open the file; the time includes importing its library."""
        file = ModelFile(Path(path), threads, allow_changed)
        before = time.perf_counter_ns()
        self._runtime = runtime = file.open()
        return {
            "ms": (time.perf_counter_ns() - before) / 1e6,
            "name": runtime.name,
            "engine": runtime.engine,
            "spec": runtime.spec.as_dict(),
            "info": None if runtime.info is None else runtime.info.to_json(),
            "sha256": runtime.sha256,
        }

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Run once on the given inputs."""
        mask = self._opened.run({name: arrays.from_json(each) for name, each in inputs.items()})
        return {"mask": arrays.to_json(mask[MASK])}

    def time(self, size: list[int], seed: int, index: int) -> dict[str, Any]:
        """Run once on the inputs of one round; making them is not timed."""
        runtime = self._opened
        inputs = round_inputs(runtime.spec, (size[0], size[1]), seed=seed, index=index)
        before = time.perf_counter_ns()
        runtime.run(inputs)
        return {"ms": (time.perf_counter_ns() - before) / 1e6}

    def memory(self) -> dict[str, Any]:
        """Peak resident memory so far."""
        return {"bytes": peak_memory_bytes()}

    @property
    def _opened(self) -> Runtime:
        assert self._runtime is not None, "open comes first"
        return self._runtime


def serve(requests: Iterable[str], answer: Callable[[str], object]) -> None:
    """Answer every request, until there are no more."""
    server = Server()
    for text in requests:
        request = json.loads(text)
        try:
            values = getattr(server, request.pop("do"))(**request)
        except RitmEdgeError as error:
            values = {"error": type(error).__name__, "message": str(error)}
        answer(json.dumps(values) + "\n")


def peak_memory_bytes() -> int:
    """High-water mark of this process's resident memory."""
    if sys.platform == "linux":
        # Not ru_maxrss: Linux carries it over from the parent process through fork and exec.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others KiB


if __name__ == "__main__":
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print to stdout as they like
    serve(sys.stdin, out.write)
