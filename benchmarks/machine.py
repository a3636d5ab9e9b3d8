"""What a measurement ran on, so that two of them can be compared."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.info import tool_versions

PACKAGES = """
numpy torch onnxruntime ai-edge-litert coremltools openvino ncnn executorch executorch-numpy-runtime
""".split()


def describe_machine() -> dict[str, Any]:
    """CPU model, cores, memory, system and load; None where it cannot be told."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_bytes": _memory_bytes(),
        "os": platform.platform(),
        "load_average_1min": load_average(),
    }


def describe_versions() -> dict[str, str]:
    """Versions of Python, ritm-edge and every runtime that is installed."""
    return tool_versions(*PACKAGES)


def cpu_model() -> str | None:
    """Marketing name of the CPU."""
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or None


def usable_cores() -> int:
    """Cores this process may use, which containers and `taskset` reduce."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """Mean number of runnable processes over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
