"""A runtime in another place that behaves like a local one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from numpy.typing import ArrayLike

from .. import errors
from ..artifacts.info import ArtifactInfo
from ..io_spec import MASK, IOSpec
from ..runtimes.base import ModelFile, Outputs
from . import arrays
from .pipe import PipeTransport


class Transport(Protocol):
    """Carries a request to a device and its answer back, one at a time."""

    def exchange(self, request: str) -> str:
        """The answer to a request. Raises TimeoutError: there was none in time; says how long that
        was; ConnectionError: the other end has gone; says why, as far as that is known."""
        ...

    def close(self, *, at_once: bool = False) -> None:
        """End the other side; `at_once` does not wait for what it is doing."""
        ...


@dataclass(frozen=True)
class ProcessSource:
    """A model file that is opened in a process of its own; see `runtimes.base.RuntimeSource`."""

    file: ModelFile

    def open(self) -> "RemoteRuntime":
        """Errors as `RemoteRuntime.open`."""
        runtime = RemoteRuntime(self.file)
        runtime.open()
        return runtime


class RemoteRuntime:
    """See `runtimes.base.Runtime`; use it in a `with` block, or close it. `transport` leads to the
    device; None starts a process on this machine."""

    def __init__(self, file: ModelFile, transport: Transport | None = None) -> None:
        self.source, self.label = ProcessSource(file), str(file.path)
        self.name, self.sha256 = "", ""
        self.engine: str | None = None
        self.info: ArtifactInfo | None = None
        self.spec = IOSpec()
        self._file = file
        self._transport = transport or PipeTransport(threads=file.threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._transport.close(at_once=kind is not None)

    def close(self) -> None:
        """See `Runtime.close`."""
        self._transport.close()

    def open(self) -> float:
        """Open the file there; milliseconds. Raises RitmEdgeError: whatever `open_runtime` raises;
        ArtifactError where the other side ends."""
        file = self._file
        options = {"threads": file.threads, "allow_changed": file.allow_changed}
        answer = self._ask(do="open", path=str(file.path), **options)
        self.name, self.engine, self.sha256 = (answer[k] for k in ("name", "engine", "sha256"))
        self.spec = IOSpec(**answer["spec"])
        if answer["info"] is not None:
            self.info = ArtifactInfo.from_json(answer["info"], file.path)
        return float(answer["ms"])

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`; clicks travel as float32."""
        answer = self._ask(do="run", inputs={n: arrays.to_json(a) for n, a in inputs.items()})
        return {MASK: arrays.from_json(answer["mask"])}

    def time(self, size: tuple[int, int], *, seed: int, index: int) -> float:
        """Run once at (H, W) on inputs that are made there, see `inputs.round_inputs`;
        milliseconds. Errors as `run`."""
        return float(self._ask(do="time", size=list(size), seed=seed, index=index)["ms"])

    def memory(self) -> int:
        """Peak resident memory so far, in bytes."""
        return int(self._ask(do="memory")["bytes"])

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self._transport.exchange(json.dumps(request)))
        except TimeoutError as error:
            raise errors.ArtifactError(
                f"{self.label} gave {error} while it was timed: time a smaller size."
            ) from error
        except ConnectionError as error:
            raise errors.ArtifactError(
                f"{self.label} ended its process while it was timed ({error}): run ritm-edge "
                "verify on it."
            ) from error
        if "error" in answer:
            kinds = {kind.__name__: kind for kind in _kinds(errors.RitmEdgeError)}
            raise kinds.get(answer["error"], errors.RitmEdgeError)(answer["message"])
        return answer


def _kinds(base: type[errors.RitmEdgeError]) -> Iterator[type[errors.RitmEdgeError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
