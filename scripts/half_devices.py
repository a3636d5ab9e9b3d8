"""Masks of real half-precision executors: half_devices.py FILE... -o RESULTS.json

They are compared with the same file in float32 on the CPU, after 1, 2 and 3 clicks on the sample
photo. .ncnn files run with Vulkan (Mesa's lavapipe is enough), .tflite files on LiteRT's GPU
accelerator, in an environment with ai-edge-litert 2.3. Final masks never contain NaN, since ReLU
and sigmoid hide it; a graph that breaks shows in its IoU.
"""

import argparse
import json
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.io_spec import MASK
from ritm_edge.runtimes.base import FileRuntime, ModelFile, Outputs, Runtime, open_runtime
from ritm_edge.runtimes.ncnn import VULKAN_ARITHMETIC, VULKAN_STORAGE, NcnnRuntime
from ritm_edge.verification.accelerators import KIND
from ritm_edge.verification.acceptance import mask_agreement

COUNTS = (1, 2, 3)
TIMED_OUT, PATIENCE = "code=7", 30


class LiteRTGpu(FileRuntime):
    """LiteRT's GPU accelerator alone: an operation that it refuses is an error when it is opened.
    It computes in float16 unless `exact`."""

    name = "LiteRT GPU"

    def __init__(self, path: Path, *, exact: bool) -> None:
        known = open_runtime(path)
        super().__init__(ModelFile(path), known.spec, known.info)
        options = import_module("ai_edge_litert.options")
        accelerator = import_module("ai_edge_litert.hardware_accelerator").HardwareAccelerator.GPU
        self._model = import_module("ai_edge_litert.compiled_model").CompiledModel.from_file(
            str(path),
            options=options.Options(
                hardware_accelerators=accelerator,
                gpu_options=options.GpuOptions(enforce_f32=exact),
            ),
        )
        ((self._key, self._names),) = self._model.get_signature_list().items()

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        # New ones each time: those of a run that is over cannot be written again.
        make = self._model.create_input_buffer_by_name
        inputs = {name: make(self._key, name) for name in self._names["inputs"]}
        output = self._model.create_output_buffer_by_name(self._key, MASK)
        for name, buffer in inputs.items():
            array = arrays[name].transpose(0, 2, 3, 1) if arrays[name].ndim == 4 else arrays[name]
            buffer.write(np.ascontiguousarray(array, np.float32))
        self._model.run_by_name(self._key, inputs, {MASK: output})
        height, width = arrays["image"].shape[2:]
        return {MASK: _patiently(output, height * width).reshape(1, 1, height, width)}


def _patiently(output: Any, count: int) -> NDArray[np.float32]:
    """Values of a buffer, however long they take: in software the first run compiles for minutes,
    and reading gives up before."""
    for _ in range(PATIENCE):
        try:
            return np.array(output.read(count, np.float32))
        except RuntimeError as error:
            if TIMED_OUT not in str(error):
                raise
    raise TimeoutError(f"LiteRT's GPU accelerator gave no result in {PATIENCE} waits")


def executors(path: Path) -> Iterator[tuple[str, Runtime]]:
    """Name and runtime of every executor of a file."""
    if path.suffix == ".ncnn":
        yield "ncnn Vulkan, fp16 storage", NcnnRuntime(ModelFile(path), VULKAN_STORAGE)
        yield "ncnn Vulkan, fp16 arithmetic", NcnnRuntime(ModelFile(path), VULKAN_ARITHMETIC)
    else:
        yield "LiteRT GPU, fp32", LiteRTGpu(path, exact=True)
        yield "LiteRT GPU, fp16", LiteRTGpu(path, exact=False)


def executed(path: Path) -> Iterator[dict[str, Any]]:
    """A row of results for each executor of a file."""
    (sample, *_) = sample_objects()
    for name, runtime in executors(path):
        started = time.monotonic()
        ious = mask_agreement(runtime, open_runtime(path), sample, COUNTS, flip=False)
        seconds = round(time.monotonic() - started, 1)
        row = {"file": path.name, "device": name, "seconds": seconds}
        yield row | {"mask_iou": dict(zip(map(str, COUNTS), ious, strict=True))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for row in (row for path in given.files for row in executed(path)):
        rows.append(row)
        print(json.dumps(row), flush=True)
        given.output.write_text(json.dumps({"kind": KIND, "devices": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
