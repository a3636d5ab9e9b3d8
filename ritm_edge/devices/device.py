"""One device: what it is asked, what it may answer, and how it is reached again after a break."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, Protocol, Self

import numpy as np

from .. import errors
from ..untrusted_json import COUNT, FLAG, LENGTH, MEASURE, TEXT, TEXTS, require_kinds
from .frames import Message, ProtocolError, Tensors, pack
from .pipe import Process
from .shared_file import SharedFile
from .streams import SocketTransport

# Seconds that an answer may take; the slowest engine needs minutes for the first run of a large
# model.
HELLO_S, WORK_S = 30.0, 600.0

# What the answer to each request has, see `untrusted_json`, if it is no error and does not say that
# something is missing that was to be there already.
MAY_BE_MISSING = ("open", "run")
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "hello": {"device": TEXT, "suffixes": TEXTS},
    "put": {},
    "open": {
        "model": COUNT,
        "ms": MEASURE,
        "runtime": TEXT,
        "engine?": TEXT,
        "threads?": LENGTH,
        "fallback?": TEXT,
        "shared?": FLAG,
    },
    "run": {"ms": MEASURE},
    "close": {},
    "memory": {"bytes?": COUNT},
}


class Place(Protocol):
    """Where a device is, and how it is reached.

    Attributes:
        name: "here", "browser", "adb" or "adb:SERIAL".
        storage: a folder of this machine below which the device keeps its files; None where they
            are out of sight.
    """

    name: str
    storage: Path | None

    def connect(self) -> SocketTransport:
        """Reach it, whatever was reached before. Raises DeviceError: it cannot be reached."""
        ...

    def close(self) -> None:
        """End whatever was started there."""
        ...


class LostDeviceError(errors.DeviceError):
    """It was reached and does not answer any more; it may be reached again."""


class Device:
    """Use it in a `with` block, or close it.

    Attributes:
        place: where it is.
        about: what it says of itself; empty before the first request.
        connection: counts how often it was reached; what was open before is not open any more.
        turn: held by the thread that is asking.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.about, self.connection = "", 0
        self.turn = RLock()
        self._suffixes: list[str] = []
        self._transport: SocketTransport | None = None
        self._requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(at_once=kind is not None)

    @property
    def local(self) -> bool:
        """Whether it sees the files of this machine."""
        return isinstance(self.place, Process)

    def close(self, *, at_once: bool = False) -> None:
        """Leave it, and end what was started there."""
        self.leave(at_once=at_once)
        self.place.close()

    def connect(self) -> None:
        """Reach it, unless that was done. Raises DeviceError: it cannot be reached, or it speaks
        another protocol."""
        if self._transport is not None:
            return
        try:
            self._transport = self.place.connect()
        except errors.DeviceError as error:
            if not self.connection:
                raise
            raise LostDeviceError(str(error)) from error
        self.connection += 1
        if not self.local:  # it is of our version, and starts when it is asked for something
            greeting = self.ask("hello", f"the device at {self.place.name}", timeout_s=HELLO_S)
            self.about, self._suffixes = greeting.head["device"], greeting.head["suffixes"]

    def require_suffix(self, path: Path) -> None:
        """Refuse what it cannot run. Raises UsageError: another kind of file; DeviceError."""
        self.connect()
        if path.suffix.lower() not in self._suffixes or path.is_dir():
            raise errors.UsageError(
                f"{path} cannot run on {self.place.name}, which takes "
                f"{', '.join(self._suffixes) or 'no file'}: export it for that."
            )

    def open(self, path: Path, values: Mapping[str, Any], label: str) -> Message:
        """Open a file, and send it before if it is not there; errors as `ask`."""
        values = {"suffix": path.suffix.lower(), **values}
        answer = self.ask("open", label, values)
        if answer.head.get("missing"):
            self.ask("put", label, values, {"file": np.fromfile(path, np.uint8)})
            answer = self.ask("open", label, values)
        if answer.head.get("missing"):
            raise self._broken(label, "does not keep the model file")
        return answer

    def ask(
        self,
        request: str,
        label: str,
        values: Mapping[str, Any] | None = None,
        tensors: Tensors | None = None,
        *,
        timeout_s: float | None = None,
        shared: SharedFile | None = None,
    ) -> Message:
        """The answer to a request, checked; `label` says in messages what it is about, and arrays
        go through `shared` where there is one.

        Raises:
            DeviceError: it cannot be reached, does not answer in time or correctly; for a process
                of this machine ArtifactError.
            RitmEdgeError: what the device itself says.
        """
        with self.turn:
            self.connect()
            assert self._transport is not None
            self._requests += 1
            head = {"do": request, "id": self._requests, **(values or {})}
            try:
                if shared is not None:
                    head["shared"], tensors = shared.put(tensors or {}), None
                message = pack(head, tensors)
                answer = self._transport.exchange(message, timeout_s or WORK_S)
                if answer.head.get("id") != self._requests:
                    raise ProtocolError("answers another request")
                missing = request in MAY_BE_MISSING and answer.head.get("missing") is True
                if "error" not in answer.head and not missing:
                    require_kinds(answer.head, ANSWERS[request], "the answer")
                    if shared is not None:
                        answer.tensors.update(shared.get(answer.head.get("shared")))
            except (TimeoutError, ConnectionError) as error:
                self.leave(at_once=True)
                raise self._lost(label, error) from error
            except (ProtocolError, ValueError) as error:
                self.leave(at_once=True)
                raise self._broken(label, error) from error
        if "error" in answer.head:
            kinds = {kind.__name__: kind for kind in _kinds(errors.RitmEdgeError)}
            kind = kinds.get(str(answer.head["error"]), errors.DeviceError)
            words = " ".join(str(answer.head.get("message")).split())[:400]
            printable = "".join(c if c.isprintable() else "�" for c in words)
            raise kind(printable if self.local else f"{label}: {printable}")
        return answer

    def leave(self, *, at_once: bool) -> None:
        """End the connection; the next request makes another."""
        if self._transport is not None:
            self._transport.close(at_once=at_once)
            self._transport = None

    def _lost(self, label: str, error: TimeoutError | ConnectionError) -> errors.RitmEdgeError:
        if not self.local:
            return LostDeviceError(
                f"{self.place.name} broke off or is silent when it is asked for {label} ({error}): "
                "look at the device, and run the same command again."
            )
        if isinstance(error, TimeoutError):
            text = f"gave {error} while it was timed: time a smaller size."
        else:
            text = f"ended its process while it was timed ({error}): run ritm-edge verify on it."
        return errors.ArtifactError(f"{label} {text}")

    def _broken(self, label: str, error: object) -> errors.DeviceError:
        return errors.DeviceError(
            f"{self.place.name} {error} when it is asked for {label}: use an app or page of this "
            "version of ritm-edge there."
        )


def _kinds(base: type[errors.RitmEdgeError]) -> Iterator[type[errors.RitmEdgeError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
