"""Real half-precision executors, where the machine has them; each in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from ritm_edge.export.pipeline import export_checkpoint
from ritm_edge.export.registry import find_target
from ritm_edge.io_spec import IOSpec
from ritm_edge.weights import default_checkpoint

from ..paths import ROOT

LITERT_PYTHON = "RITM_EDGE_LITERT_PYTHON"


def masks_of(target, tmp_path, python=sys.executable):
    """Device → lowest IoU with float32 after 1, 2 and 3 clicks, of the embedded lite0."""
    spec = IOSpec(256, 256, max_clicks=6)
    item = export_checkpoint(
        default_checkpoint("lite0"), find_target(target), spec=spec, output=tmp_path
    )
    script, results = ROOT / "scripts" / "half_devices.py", tmp_path / "rows.json"
    command = [python, script, item.path, "-o", results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(results.read_text())["devices"]
    return {row["device"]: min(row["mask_iou"].values()) for row in rows}


def test_ncnn_on_a_vulkan_device(tmp_path):
    pytest.importorskip("pnnx")
    pytest.importorskip("ncnn")
    count = "import ncnn; ncnn.create_gpu_instance(); print(ncnn.get_gpu_count())"
    done = subprocess.run(
        [sys.executable, "-c", count], capture_output=True, text=True, check=False
    )
    if done.stdout.split()[-1:] in ([], ["0"]):
        pytest.skip("no Vulkan device: apt-get install mesa-vulkan-drivers brings one in software")
    found = masks_of("ncnn", tmp_path)
    assert found["ncnn Vulkan, fp16 storage"] >= 0.99
    assert found["ncnn Vulkan, fp16 arithmetic"] >= 0.97


def test_litert_on_its_gpu_accelerator(tmp_path):
    if LITERT_PYTHON not in os.environ:
        pytest.skip(f"{LITERT_PYTHON} names no Python with ai-edge-litert 2.3: see docs/devices.md")
    found = masks_of("tflite", tmp_path, os.environ[LITERT_PYTHON])
    assert found["LiteRT GPU, fp32"] >= 0.99
    assert found["LiteRT GPU, fp16"] >= 0.99
