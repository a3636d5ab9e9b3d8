"""A fresh process on this machine as a device."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from . import HERE, frames
from .streams import SocketTransport

_STOP_S = 5.0
SERVER = ("-m", "ritm_edge.devices.server")
# Read by BLAS and OpenMP when they are loaded, by whichever runtime.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Process:
    """The place of a process; see `device.Place`. It gets so many CPU threads; None lets the
    runtime choose."""

    name = HERE
    storage: Path | None = None

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads

    def connect(self) -> "PipeTransport":
        """Start one."""
        return PipeTransport(threads=self._threads)

    def close(self) -> None:
        """Nothing stays but the transport."""


class PipeTransport(SocketTransport):
    """Starts the process; see `streams.SocketTransport`."""

    def __init__(self, *, threads: int | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed in `close`
        limits = {} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *SERVER],
                stdin=theirs.fileno(),
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **limits},
            )

    def exchange(self, request: bytes, timeout_s: float) -> frames.Message:
        """See `SocketTransport`."""
        try:
            return super().exchange(request, timeout_s)
        except ConnectionError as error:
            code = self._process.wait(_STOP_S)
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            raise ConnectionError(lines[-1][:200] if lines else f"exit code {code}") from error

    def close(self, *, at_once: bool = False) -> None:
        """See `SocketTransport`."""
        super().close()
        try:
            self._process.wait(0.1 if at_once else _STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
