"""The parent's side of `worker`."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ritm_edge import errors
from ritm_edge.errors import RitmEdgeError
from ritm_edge.io_spec import IOSpec

TIMEOUT_S = 600.0  # one request; the slowest engine needs a minute for a large model
_STOP_S = 5.0


class WorkerClient:
    """Starts a fresh process and sends it requests; use it in a `with` block.

    Args:
        path: artifact or checkpoint.
        threads: CPU threads; None lets the runtime choose.
        allow_changed: see `open_runtime`.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, allow_changed: bool = False
    ) -> None:
        self.path = path
        self.threads = threads
        self.allow_changed = allow_changed
        self.runtime = ""
        self.engine: str | None = None
        self.parity: dict[str, Any] | None = None
        self.precision = ""
        self.checkpoint: str | None = None
        self.rewrites: tuple[str, ...] | None = None
        self.spec = IOSpec()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed in __exit__
        environment = dict(os.environ)
        if threads is not None:
            # Read by BLAS and OpenMP when they are loaded, whatever runtime brings them.
            for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
                environment[name] = str(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ritm_edge.benchmarks.latency.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )

    def __enter__(self) -> "WorkerClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it may have ended already
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_S if kind is None else 0.1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def memory(self) -> int:
        """Peak resident memory so far, in bytes."""
        return int(self._ask(do="memory")["bytes"])

    def open(self) -> float:
        """Open the file; milliseconds.

        Raises:
            RitmEdgeError: whatever `open_runtime` raises; ArtifactError where the process ends.
        """
        options = {"threads": self.threads, "allow_changed": self.allow_changed}
        answer = self._ask(do="open", path=str(self.path), **options)
        self.runtime, self.engine = answer["runtime"], answer["engine"]
        self.spec, self.parity = IOSpec(**answer["spec"]), answer["parity"]
        self.precision = answer["precision"]
        self.checkpoint = answer["checkpoint"]
        self.rewrites = None if answer["rewrites"] is None else tuple(answer["rewrites"])
        return float(answer["ms"])

    def run(self, size: tuple[int, int], *, seed: int, index: int) -> float:
        """Run once; milliseconds.

        Raises:
            RitmEdgeError: whatever the runtime raises; ArtifactError where the process ends.
        """
        return float(self._ask(do="run", size=list(size), seed=seed, index=index)["ms"])

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        line = self._read_line()
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = getattr(errors, answer["error"], RitmEdgeError)
            raise kind(answer["message"])
        return answer

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(TIMEOUT_S):
                self._process.kill()
                raise errors.ArtifactError(
                    f"{self.path} gave no answer within {TIMEOUT_S:.0f} s while it was timed: "
                    "time a smaller size."
                )
        return self._process.stdout.readline()

    def _ended(self) -> RitmEdgeError:
        code = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        reason = lines[-1][:200] if lines else f"exit code {code}"
        return errors.ArtifactError(
            f"{self.path} ended its process while it was timed ({reason}): run ritm-edge verify "
            "on it."
        )
