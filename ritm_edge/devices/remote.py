"""A runtime in another place that behaves like a local one."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import errors
from ..artifacts.info import METADATA_KEY, ArtifactInfo
from ..artifacts.tflite import metadata_text, read_flatbuffer
from ..files import sha256_of
from ..io_spec import IMAGE, MASK, IOSpec
from ..runtimes.base import ModelFile, Outputs
from ..runtimes.contract import check_inputs, require_mask
from .device import RECONNECTS, Device, LostDeviceError
from .frames import Message
from .inputs import round_inputs
from .pipe import Process

_CLOCK_SLACK_MS = 5.0  # by which a device's time of a run may exceed the wait for its answer


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
    """See `runtimes.base.Runtime`; use it in a `with` block, or close it.

    Args:
        device: runs the file, perhaps beside others, and stays open; None starts a process on this
            machine, which ends with this.
        patient: reach a lost device again and repeat what it was asked, which changes no result;
            times are not those of an undisturbed device then.

    Attributes:
        place: see `device.Place`.
        threads: CPU threads that it computes with; None where that is not known.
        fallback: why something slower than usual computes; None where nothing does.
    """

    def __init__(
        self, file: ModelFile, device: Device | None = None, *, patient: bool = False
    ) -> None:
        self.source, self.label = ProcessSource(file), str(file.path)
        self.name, self.sha256 = "", ""
        self.engine: str | None = None
        self.threads: int | None = None
        self.fallback: str | None = None
        self.info: ArtifactInfo | None = None
        self.spec = IOSpec()
        self._file = file
        self._owned = device is None
        self._device = device or Device(Process(file.threads))
        self._patient = patient
        self._model, self._connection = 0, 0
        self._times: list[tuple[float, float]] = []  # of each run: there, and the rest of the wait

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._leave(at_once=kind is not None)

    def close(self) -> None:
        """See `Runtime.close`."""
        self._leave(at_once=False)

    def _leave(self, *, at_once: bool) -> None:
        if self._owned:
            self._device.close(at_once=at_once)
        elif self._model and not at_once and self._connection == self._device.connection:
            with suppress(errors.DeviceError):  # it has gone, and the file with it
                self._device.ask("close", self.label, model=self._model)

    @property
    def place(self) -> str:
        return self._device.place.name

    def open(self) -> float:
        """Open the file there; milliseconds. Raises RitmEdgeError: whatever `open_runtime` raises;
        ArtifactError where the other side ends; DeviceError as `Device.ask`."""
        if self._device.local:
            answer = self._device.open(self._file, self.label).head
            self.spec, self.sha256 = IOSpec(**answer["spec"]), answer["sha256"]
            if answer["info"] is not None:
                self.info = ArtifactInfo.from_json(answer["info"], self._file.path)
        else:
            # What the file says of itself is read here: a device need not be believed.
            path = self._file.path
            self._device.require_suffix(path)
            content = read_flatbuffer(path, allow_changed=self._file.allow_changed)
            self.info = ArtifactInfo.from_json(metadata_text(content, METADATA_KEY, path), path)
            self.spec, self.sha256 = self.info.io, sha256_of(path)
            answer = self._device.open(self._file, self.label).head
        self._model, self._connection = answer["model"], self._device.connection
        self.name, self.engine = answer["runtime"], answer.get("engine")
        self.threads, self.fallback = answer.get("threads"), answer.get("fallback")
        return float(answer["ms"])

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`; everything but whole numbers in 0…255 travels as float32. Raises also
        DeviceError."""
        return {MASK: self._run(inputs)[0]}

    def time(self, size: tuple[int, int], *, seed: int, index: int) -> float:
        """Run once at (H, W) on the inputs of one round, see `inputs.round_inputs`; milliseconds by
        the device's own clock, without the way there and back. Errors as `run`."""
        return self._run(round_inputs(self.spec, size, seed=seed, index=index))[1]

    def memory(self) -> int | None:
        """Peak resident memory so far, in bytes; None where the device cannot tell."""
        peak: int | None = self._device.ask("memory", self.label).head.get("bytes")
        return peak

    def figures(self) -> dict[str, Any]:
        """What ran the file and how long, for reports: medians over the runs, in milliseconds, of
        the inference by the device's clock and of the rest of the wait."""
        inference, wire = zip(*self._times, strict=True) if self._times else ((), ())
        return {
            "place": self.place,
            "device": self._device.about,
            "engine": self.engine,
            "threads": self.threads,
            "fallback": self.fallback,
            "runs": len(self._times),
            "inference_ms": median(inference) if inference else None,
            "wire_ms": median(wire) if wire else None,
        }

    def _run(self, inputs: Mapping[str, ArrayLike]) -> tuple[NDArray[np.float32], float]:
        arrays = check_inputs(self.spec, inputs)
        sent = {name: _for_the_wire(array) for name, array in arrays.items()}
        before = time.perf_counter_ns()
        answer = self._ask_to_run(sent)
        waited = (time.perf_counter_ns() - before) / 1e6
        mask, milliseconds = answer.tensors.get(MASK), float(answer.head["ms"])
        require_mask(Path(self.label), mask, arrays[IMAGE].shape[2:], errors.ArtifactError)
        assert mask is not None
        if milliseconds > waited + _CLOCK_SLACK_MS:
            raise errors.DeviceError(
                f"{self.place} says that {self.label} ran for {milliseconds:.0f} ms, and the "
                f"answer was here after {waited:.0f} ms: its clock cannot be used."
            )
        self._times.append((milliseconds, waited - milliseconds))
        return mask, milliseconds

    def _ask_to_run(self, sent: Mapping[str, NDArray[Any]]) -> Message:
        for _ in range(RECONNECTS):
            try:
                self._device.connect()
                if self._connection != self._device.connection:
                    self.open()  # the device was lost, and does not know the file any more
                return self._device.ask("run", self.label, sent, model=self._model)
            except LostDeviceError as error:
                if not self._patient:
                    raise
                self._device.reconnect(error)
        return self._device.ask("run", self.label, sent, model=self._model)


def _for_the_wire(array: NDArray[Any]) -> NDArray[Any]:
    """As uint8, a quarter of the bytes, where that changes no value."""
    if array.dtype != np.uint8 and array.ndim == 4 and array.shape[1] == 3:
        with np.errstate(invalid="ignore"):
            small = array.astype(np.uint8)
        if np.array_equal(small, array):
            return small
    return array.astype(array.dtype if array.dtype == np.uint8 else np.float32, copy=False)
