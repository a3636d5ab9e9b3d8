"""A runtime in another place that behaves like a local one."""

import secrets
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
from ..io_spec import IMAGE, MASK, PREV_MASK, IOSpec
from ..runtimes.base import ModelFile, Outputs, Runtime
from ..runtimes.contract import check_inputs, require_mask
from .device import Device, LostDeviceError
from .frames import KEPT_IMAGES, Message, Tensors
from .inputs import round_inputs
from .pipe import Process
from .shared_file import SharedFile

RECONNECTS = 3  # in a row, before a device is given up
_PAUSE_S = 1.0
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
        self._images: dict[int, tuple[object, bytes]] = {}
        self._shared: SharedFile | None = None
        self._sent = 0
        self._times: list[tuple[float, float]] = []  # of each run: there, and the rest of the wait

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._leave(at_once=kind is not None)

    def close(self) -> None:
        """See `Runtime.close`."""
        self._leave(at_once=False)

    def _leave(self, *, at_once: bool) -> None:
        self._forget()
        if self._owned:
            self._device.close(at_once=at_once)
        elif self._model and not at_once and self._connection == self._device.connection:
            with suppress(errors.DeviceError):  # it has gone, and the file with it
                self._device.ask("close", self.label, {"model": self._model})

    def _forget(self) -> None:
        self._images.clear()
        if self._shared is not None:
            self._shared.close()
            self._shared = None

    @property
    def local(self) -> bool:
        """Whether it runs in a process of this machine."""
        return self._device.local

    @property
    def place(self) -> str:
        return self._device.place.name

    def open(self) -> float:
        """Open the file there; milliseconds. Raises RitmEdgeError: whatever `open_runtime` raises;
        ArtifactError where the other side ends; DeviceError as `Device.ask`."""
        device, path = self._device, self._file.path
        options = {"threads": self._file.threads, "allow_changed": self._file.allow_changed}
        self._forget()
        if device.local:
            answer = device.ask("open", self.label, {"path": str(path), **options}).head
            self.spec, self.sha256 = IOSpec(**answer["spec"]), answer["sha256"]
            if answer["info"] is not None:
                self.info = ArtifactInfo.from_json(answer["info"], path)
        else:
            # What the file says of itself is read here: a device need not be believed.
            device.require_suffix(path)
            content = read_flatbuffer(path, allow_changed=self._file.allow_changed)
            self.info = ArtifactInfo.from_json(metadata_text(content, METADATA_KEY, path), path)
            self.spec, self.sha256 = self.info.io, sha256_of(path)
            storage, token = device.place.storage, secrets.token_hex(16)
            share = {} if storage is None else {"share": token}
            values = {"sha256": self.sha256, **options, **share}
            answer = device.open(path, values, self.label).head
            if storage is not None and answer.get("shared"):
                self._shared = SharedFile.find(storage, token)
        self._model, self._connection = answer["model"], device.connection
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
        sent = {n: a.astype(np.float32, copy=False) for n, a in arrays.items() if n != IMAGE}
        if PREV_MASK in sent and not sent[PREV_MASK].any():
            del sent[PREV_MASK]  # zeros, which it may be left out for
        with self._device.turn:
            before = time.perf_counter_ns()
            answer = self._ask_to_run(_bytes_if_whole(arrays[IMAGE]), sent)
            waited = (time.perf_counter_ns() - before) / 1e6
        mask, milliseconds = answer.tensors.get(MASK), answer.head.get("ms")
        require_mask(Path(self.label), mask, arrays[IMAGE].shape[2:], errors.ArtifactError)
        assert mask is not None
        if milliseconds is None or milliseconds > waited + _CLOCK_SLACK_MS:
            raise errors.DeviceError(
                f"{self.place} says that {self.label} ran for {milliseconds} ms, and the answer "
                f"was here after {waited:.0f} ms: its clock cannot be used."
            )
        self._times.append((float(milliseconds), waited - milliseconds))
        return mask, float(milliseconds)

    def _ask_to_run(self, image: NDArray[Any], others: Tensors) -> Message:
        for left in range(RECONNECTS if self._patient else 0, -1, -1):
            try:
                self._device.connect()
                if self._connection != self._device.connection:
                    self.open()  # the device was lost, and does not know the file any more
                return self._ask_once(image, others)
            except LostDeviceError:
                if not left:
                    raise
            time.sleep(_PAUSE_S)
        raise AssertionError("the last attempt answers or raises")

    def _ask_once(self, image: NDArray[Any], others: Tensors) -> Message:
        """With the image left out if it is one of the last, for clicks mostly stay in one crop."""
        content = image.dtype, image.tobytes()
        number = next((n for n, kept in self._images.items() if kept == content), None)
        if number is not None and not self.local:
            answer = self._ask(number, others)
            if not answer.head.get("missing"):
                return answer
        self._sent += 1
        self._images[self._sent] = content
        self._images.pop(self._sent - KEPT_IMAGES, None)
        return self._ask(self._sent, {IMAGE: image, **others})

    def _ask(self, image: int, tensors: Tensors) -> Message:
        values = {"model": self._model, "image": image}
        return self._device.ask("run", self.label, values, tensors, shared=self._shared)


def device_figures(runtime: Runtime) -> dict[str, Any] | None:
    """`RemoteRuntime.figures` of a file that runs on a device; None for one that runs here."""
    if isinstance(runtime, RemoteRuntime) and not runtime.local:
        return runtime.figures()
    return None


def _bytes_if_whole(image: NDArray[Any]) -> NDArray[Any]:
    """As uint8, a quarter of the bytes, where that changes no value; else as float32."""
    with np.errstate(invalid="ignore"):
        small = image.astype(np.uint8)
    whole = np.array_equal(small, image)
    return np.ascontiguousarray(small if whole else image.astype(np.float32))
