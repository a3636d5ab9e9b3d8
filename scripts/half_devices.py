"""Masks of real half-precision executors, compared with float32 after 1, 2 and 3 clicks.

    half_devices.py FILE... --checkpoint NAME [-o RESULTS.json]

.ncnn files run with Vulkan (Mesa's lavapipe is enough), .tflite files on LiteRT's GPU accelerator
in another environment, whose Python RITM_EDGE_LITERT_PYTHON names. Final masks never contain NaN,
since ReLU and sigmoid hide it; a graph that breaks shows in its IoU.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.io_spec import MASK, IOSpec
from ritm_edge.runtimes.base import ModelFile, open_runtime
from ritm_edge.runtimes.contract import check_inputs
from ritm_edge.runtimes.narrowed import NarrowedRuntime
from ritm_edge.runtimes.ncnn import VULKAN_ARITHMETIC, VULKAN_STORAGE, NcnnRuntime
from ritm_edge.verification.acceptance import mask_agreement
from ritm_edge.weights import checkpoint_path

COUNTS = (1, 2, 3)
LITERT_PYTHON = "RITM_EDGE_LITERT_PYTHON"


class LiteRTGpu:
    """A `Runtime` of LiteRT's GPU accelerator in a process of another environment."""

    name, engine, info, sha256, source = "LiteRT GPU", None, None, "0" * 64, None

    def __init__(self, path: Path, spec: IOSpec, precision: str) -> None:
        self.spec, self.label = spec, str(path)
        self._folder = tempfile.TemporaryDirectory(prefix="ritm-edge-litert-")
        program = Path(__file__).with_name("litert_gpu.py")
        self._log = Path(self._folder.name, "log")
        self._process = subprocess.Popen(
            [os.environ[LITERT_PYTHON], str(program), str(path), precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )
        self._expect("whole")

    def run(self, inputs: Any) -> dict[str, Any]:
        arrays = check_inputs(self.spec, inputs)
        source, target = (Path(self._folder.name, name) for name in ("in.npz", "out.npy"))
        nhwc = {n: a.transpose(0, 2, 3, 1) if a.ndim == 4 else a for n, a in arrays.items()}
        np.savez(source, **nhwc)
        assert self._process.stdin is not None
        print(source, target, file=self._process.stdin, flush=True)
        self._expect("done")
        return {MASK: np.load(target).reshape(1, 1, *arrays["image"].shape[2:])}

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # the library prints as well
            if line.strip().endswith(word):
                return
        lines = self._log.read_text().splitlines()
        raise RuntimeError("; ".join(line for line in lines if "ERROR" in line or "upport" in line))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def devices(path: Path) -> Iterator[tuple[str, Any]]:
    """Name and runtime of every executor of a file."""
    if path.suffix == ".ncnn":
        for name, options in (("storage", VULKAN_STORAGE), ("arithmetic", VULKAN_ARITHMETIC)):
            yield f"ncnn Vulkan, fp16 {name}", NcnnRuntime(ModelFile(path), options)
    else:
        spec = open_runtime(path).spec
        for precision in ("fp32", "fp16"):
            yield f"LiteRT GPU, {precision}", LiteRTGpu(path, spec, precision)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    reference = open_runtime(checkpoint_path(given.checkpoint))
    rows = []
    for path in given.files:
        for device, runtime in devices(path):
            started = time.monotonic()
            narrowed = NarrowedRuntime(reference, runtime.spec)
            (sample, *_) = sample_objects()
            ious = mask_agreement(runtime, narrowed, sample, COUNTS, flip=False)
            runtime.close()
            seconds = round(time.monotonic() - started, 1)
            row = {"file": path.name, "device": device, "seconds": seconds}
            rows.append(row | {"mask_iou": dict(zip(map(str, COUNTS), ious, strict=True))})
            print(
                path.name, device, *(f"{value:.4f}" for value in ious), f"{seconds} s", flush=True
            )
    if given.output:
        given.output.write_text(
            json.dumps({"kind": "ritm-edge accelerators", "devices": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
