"""A fresh process that holds one candidate; `worker_client` talks to it in lines of JSON.

One process per candidate: thread pools, memory and library versions cannot disturb each other,
and cold start and peak memory belong to one candidate alone.
"""

import json
import os
import sys
import time
from typing import Any

from ritm_edge.errors import RitmEdgeError
from ritm_edge.runtimes.base import Runtime, open_runtime

from ..machine import peak_memory_bytes
from .inputs import round_inputs


class Worker:
    """Answers one request after the other; each method is one request."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None

    def open(self, path: str, threads: int | None, allow_changed: bool) -> dict[str, Any]:
        """Open the file; the time includes importing its library."""
        before = time.perf_counter_ns()
        runtime = open_runtime(path, threads=threads, allow_changed=allow_changed)
        elapsed = time.perf_counter_ns() - before
        self._runtime = runtime
        return {
            "ms": elapsed / 1e6,
            "runtime": runtime.name,
            "engine": getattr(runtime, "engine", None),
            "spec": runtime.spec.as_dict(),
            "parity": None if runtime.info is None else runtime.info.parity,
            "precision": "fp32" if runtime.info is None else runtime.info.precision,
            "checkpoint": None if runtime.info is None else runtime.info.checkpoint_sha256,
            "rewrites": None if runtime.info is None else runtime.info.rewrites,
        }

    def run(self, size: list[int], seed: int, index: int) -> dict[str, Any]:
        """Run once on the inputs of one round; making them is not timed."""
        runtime = self._runtime
        assert runtime is not None, "open comes first"
        height, width = size
        inputs = round_inputs(runtime.spec, (height, width), seed=seed, index=index)
        before = time.perf_counter_ns()
        runtime.run(inputs)
        return {"ms": (time.perf_counter_ns() - before) / 1e6}

    def memory(self) -> dict[str, Any]:
        """Peak resident memory so far."""
        return {"bytes": peak_memory_bytes()}


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print to stdout as they like
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        method = getattr(worker, request.pop("do"))
        try:
            answer = method(**request)
        except RitmEdgeError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
