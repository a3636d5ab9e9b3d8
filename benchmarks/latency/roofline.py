"""The peak performance of this machine: `python -m ritm_edge.benchmarks.latency.roofline THREADS`.

The peak is the best rate that dense float32 kernels reached here, matrix products of several sizes
and 3×3 convolutions as in the network, and not a figure of a data sheet. A network of this kind
does some 100 operations for each byte of memory, so that this peak, not the bandwidth, is its roof.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ritm_edge.errors import ConversionError
from ritm_edge.optional import require

GEMM_SIDES = (256, 512, 1024, 2048)
CONVOLUTION_CHANNELS = (64, 128)
CONVOLUTION_SIDE = 100  # a quarter of 400 pixels
COPY_BYTES = 1 << 28  # far beyond any cache
TRIALS = 20


@dataclass(frozen=True)
class Roofline:
    """Measured limits: FLOP/s of the fastest dense float32 kernel (one multiply-accumulate is 2),
    and bytes/s read and written while copying memory; threads of None are PyTorch's choice."""

    flops_per_s: float
    kernel: str
    bytes_per_s: float
    threads: int | None


def measure_roofline(threads: int | None) -> Roofline:
    """Measure in a process of its own. Raises MissingExtraError: PyTorch, which does it, is not
    installed; ConversionError: the process failed."""
    require("torch", extra="torch")
    command = [sys.executable, "-m", __name__, str(threads or 0)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConversionError(
            f"the machine's peak could not be measured ({lines[-1][:200]}): leave --roofline out."
        )
    return Roofline(**json.loads(done.stdout))


def percent_of_roofline(flops: int, milliseconds: float, roofline: Roofline) -> float:
    """How much of the peak a run of that many operations used, 0…100."""
    return 100 * flops / (milliseconds / 1e3) / roofline.flops_per_s


def _measure(threads: int | None) -> Roofline:
    import torch
    from torch.nn.functional import conv2d

    if threads is not None:
        torch.set_num_threads(threads)
    rates: dict[str, float] = {}
    with torch.inference_mode():
        for side in GEMM_SIDES:
            a, b, c = (torch.rand(side, side) for _ in range(3))
            seconds = _best(partial(torch.mm, a, b, out=c))
            rates[f"matrix product {side}x{side}"] = 2 * side**3 / seconds
        for channels in CONVOLUTION_CHANNELS:
            shape = (1, channels, CONVOLUTION_SIDE, CONVOLUTION_SIDE)
            x = torch.rand(shape).to(memory_format=torch.channels_last)
            w = torch.rand(channels, channels, 3, 3)
            seconds = _best(partial(conv2d, x, w, padding=1))
            flops = 2 * 9 * channels**2 * CONVOLUTION_SIDE**2
            rates[f"3x3 convolution of {channels} channels"] = flops / seconds
        source = torch.rand(COPY_BYTES // 4)
        target = torch.empty_like(source)
        copy_s = _best(partial(target.copy_, source))
    kernel = max(rates, key=rates.__getitem__)
    return Roofline(rates[kernel], kernel, 2 * COPY_BYTES / copy_s, threads)


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of `TRIALS` runs, after one to warm up."""
    run()
    best = float("inf")
    for _ in range(TRIALS):
        before = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - before)
    return best


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]) or None).__dict__))  # noqa: T201, its answer
