"""Serves runtimes over a socket that is standard input: `python -m ritm_edge.devices.server`.

One process per runtime: thread pools, memory and library versions cannot disturb each other, and
cold start and peak memory belong to one alone. It speaks the whole protocol of
docs/device-protocol.md and can be read as its reference.
"""

import os
import platform
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from hashlib import sha256 as digest_of
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArtifactError, RitmEdgeError, UsageError
from ..io_spec import MASK
from ..runtimes.base import ModelFile, Runtime, runtime_suffixes
from ..untrusted_json import COUNT, FLAG, LENGTH, SHA256, TEXT, require_kinds
from .frames import MAX_FILE, Message, ProtocolError, pack, read
from .streams import SocketTransport

# What each request needs; see `untrusted_json`.
REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "hello": {},
    "put": {"sha256": SHA256, "suffix": TEXT},
    "open": {
        "path?": TEXT,
        "sha256?": SHA256,
        "suffix?": TEXT,
        "threads?": LENGTH,
        "allow_changed": FLAG,
    },
    "run": {"model": COUNT},
    "close": {"model": COUNT},
    "memory": {},
}


class Server:
    """Answers one request after the other; each public method is one request. `folder` keeps the
    files that are sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtimes: dict[int, Runtime] = {}
        self._opened = 0

    def hello(self, _: Message) -> Message:
        """Who answers, and which files it can run."""
        return Message(
            {"device": f"{platform.system()} {platform.machine()}", "suffixes": _suffixes()}
        )

    def put(self, request: Message) -> Message:
        """Keep a file."""
        content = request.tensors.get("file", np.empty(0)).tobytes()
        if digest_of(content).hexdigest() != request.head["sha256"]:
            raise ArtifactError("the model file changed on its way: send it again.")
        self._kept(request.head).write_bytes(content)
        return Message({})

    def open(self, request: Message) -> Message:
        """Open a file that was sent, or one of this machine by its path; the time includes
        importing its library."""
        head = request.head
        path = Path(head["path"]) if "path" in head else self._kept(head)
        if "path" not in head and not path.exists():
            return Message({"missing": True})
        before = time.perf_counter_ns()
        runtime = ModelFile(path, head.get("threads"), head["allow_changed"]).open()
        milliseconds = (time.perf_counter_ns() - before) / 1e6
        self._opened += 1
        self._runtimes[self._opened] = runtime
        described = {
            "spec": runtime.spec.as_dict(),
            "info": None if runtime.info is None else runtime.info.to_json(),
            "sha256": runtime.sha256,
        }
        return Message(
            {
                "model": self._opened,
                "ms": milliseconds,
                "runtime": runtime.name,
                "engine": runtime.engine,
                "threads": head.get("threads"),
                **(described if "path" in head else {}),
            }
        )

    def run(self, request: Message) -> Message:
        """Run once on the given inputs."""
        runtime = self._open_model(request)
        arrays = {n: array.astype(np.float32, copy=False) for n, array in request.tensors.items()}
        before = time.perf_counter_ns()
        mask = runtime.run(arrays)[MASK]
        return Message({"ms": (time.perf_counter_ns() - before) / 1e6}, {MASK: mask})

    def close(self, request: Message) -> Message:
        """Release an opened file."""
        self._open_model(request).close()
        del self._runtimes[request.head["model"]]
        return Message({})

    def memory(self, _: Message) -> Message:
        """Peak resident memory so far."""
        return Message({"bytes": peak_memory_bytes()})

    def _open_model(self, request: Message) -> Runtime:
        runtime = self._runtimes.get(request.head["model"])
        if runtime is None:
            raise UsageError(f"model {request.head['model']} is not open: open it first.")
        return runtime

    def _kept(self, head: Mapping[str, Any]) -> Path:
        if head.get("sha256") is None or head.get("suffix") not in _suffixes():
            raise UsageError("a file is named by its SHA-256 and a known suffix.")
        return self._folder / f"{head['sha256']}{head['suffix']}"


def _suffixes() -> list[str]:
    return sorted(runtime_suffixes())


def serve(transport: SocketTransport, folder: Path) -> None:
    """Answer every request, until there are no more. Raises ProtocolError: what came is none."""
    server = Server(folder)
    while True:
        try:
            request = read(transport.receive, most=MAX_FILE)
        except ConnectionError:
            return
        head = request.head
        try:
            answer = _answer(server, request)
        except RitmEdgeError as error:
            answer = Message({"error": type(error).__name__, "message": str(error)})
        transport.send(pack({"id": head.get("id"), **answer.head}, answer.tensors))


def _answer(server: Server, request: Message) -> Message:
    name = request.head.get("do")
    if not isinstance(name, str) or name not in REQUESTS:
        raise UsageError(f"there is no request {str(name)[:40]!r}: see docs/device-protocol.md.")
    try:
        require_kinds(request.head, REQUESTS[name], name)
    except ValueError as error:
        raise UsageError(f"the request {name} cannot be read: {error}.") from error
    answer: Message = getattr(server, name)(request)
    return answer


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
    with tempfile.TemporaryDirectory() as place, socket.socket(fileno=os.dup(0)) as parent:
        try:
            serve(SocketTransport(parent), Path(place))
        except ProtocolError as error:
            sys.exit(f"the other side {error}")
