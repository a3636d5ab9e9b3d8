"""A fresh process on this machine as a device."""

import os
import selectors
import subprocess
import sys
import tempfile
from contextlib import suppress

TIMEOUT_S = 600.0  # one request; the slowest engine needs a minute for a large model
_STOP_S = 5.0
# Read by BLAS and OpenMP when they are loaded, by whichever runtime.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class PipeTransport:
    """Starts the process, with so many CPU threads (None lets the runtime choose); see
    `remote.Transport`."""

    def __init__(self, *, threads: int | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed in `close`
        limits = {} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ritm_edge.devices.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **limits},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def exchange(self, request: str) -> str:
        """See `remote.Transport`."""
        try:
            self._requests.write(request.encode() + b"\n")
            self._requests.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self._answers, selectors.EVENT_READ)
                if not selector.select(TIMEOUT_S):
                    self._process.kill()
                    raise TimeoutError(f"no answer within {TIMEOUT_S:.0f} s")
            line = self._answers.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            raise ConnectionError(lines[-1][:200] if lines else f"exit code {code}")
        return line.decode()

    def close(self, *, at_once: bool = False) -> None:
        """See `remote.Transport`."""
        with suppress(BrokenPipeError):  # it may have ended already
            self._requests.close()
        try:
            self._process.wait(0.1 if at_once else _STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()
