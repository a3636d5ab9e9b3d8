"""Serves one runtime over a socket that is standard input: `python -m ritm_edge.devices.server`.

One process per runtime: thread pools, memory and library versions cannot disturb each other, and
cold start and peak memory belong to one alone.
"""

import os
import resource
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import RitmEdgeError
from ..io_spec import MASK
from ..runtimes.base import ModelFile, Runtime
from .frames import MAX_FILE, Message, pack, read
from .streams import SocketTransport


class Server:
    """Answers one request after the other; each public method is one request."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None

    def open(self, request: Message) -> Message:
        """Open a file of this machine; the time includes importing its library."""
        path, threads, changed = (request.head[k] for k in ("path", "threads", "allow_changed"))
        before = time.perf_counter_ns()
        self._runtime = runtime = ModelFile(Path(path), threads, changed).open()
        return Message(
            {
                "model": 0,
                "ms": (time.perf_counter_ns() - before) / 1e6,
                "runtime": runtime.name,
                "engine": runtime.engine,
                "threads": threads,
                "spec": runtime.spec.as_dict(),
                "info": None if runtime.info is None else runtime.info.to_json(),
                "sha256": runtime.sha256,
            }
        )

    def run(self, request: Message) -> Message:
        """Run once on the given inputs."""
        assert self._runtime is not None, "open comes first"
        arrays = {n: array.astype(np.float32, copy=False) for n, array in request.tensors.items()}
        before = time.perf_counter_ns()
        mask = self._runtime.run(arrays)[MASK]
        return Message({"ms": (time.perf_counter_ns() - before) / 1e6}, {MASK: mask})

    def memory(self, _: Message) -> Message:
        """Peak resident memory so far."""
        return Message({"bytes": peak_memory_bytes()})


def serve(server: object, transport: SocketTransport) -> None:
    """Answer every request, until there are no more; errors that a user can cause are answers."""
    while True:
        try:
            request = read(transport.receive, most=MAX_FILE)
        except ConnectionError:
            return
        try:
            answer: Message = getattr(server, request.head["do"])(request)
        except RitmEdgeError as error:
            answer = Message({"error": type(error).__name__, "message": str(error)})
        transport.send(pack({"id": request.head["id"], **answer.head}, answer.tensors))


def peak_memory_bytes() -> int:
    """High-water mark of this process's resident memory."""
    if sys.platform == "linux":
        # Not ru_maxrss: Linux carries it over from the parent process through fork and exec.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others KiB


def forget_peak_memory() -> None:
    """Begin a new high-water mark, where the system can: on Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as parent:
        serve(Server(), SocketTransport(parent))
