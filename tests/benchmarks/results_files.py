"""Small results files, as the bench commands write them."""

import json
from pathlib import Path
from typing import Any

NOC_NAMES = (("NoC20@80", 0.8), ("NoC20@85", 0.85), ("NoC20@90", 0.9))


def noc_run(file: str = "model.onnx", benchmark: str = "GrabCut", **changes: Any) -> dict[str, Any]:
    """One report: two objects, one solved at click 2, one never."""
    run = {
        "benchmark": benchmark,
        "objects": 2,
        "objects_in_benchmark": 2,
        "file": file,
        "runtime": "onnx",
        "engine": None,
        "model": "hrnet18s",
        "precision": "fp32",
        "size": None,
        "sha256": "0" * 64,
        "checkpoint_sha256": "0" * 64,
        "settings": {
            "max_clicks": 20,
            "min_clicks": 1,
            "target_iou": 0.9,
            "zoom_in": None,
            "flip": True,
            "threshold": 0.49,
            "click_limit": None,
        },
        "noc": [
            {
                "name": name,
                "iou": iou,
                "max_clicks": 20,
                "mean": 7.25 + iou,
                "interval": [2.0, 20.0],
                "at_limit_published": 1,
                "never_reached": 1,
                "difference": None,
            }
            for name, iou in NOC_NAMES
        ],
        "mean_iou": [0.35, 0.7],
        "seconds_per_click": 0.25,
        "per_object": [
            {
                "name": "good",
                "ious": [0.5, 0.95],
                "clicks": [[3.0, 4.0, True], [5.0, 6.0, False]],
                "seconds": 0.5,
            },
            {
                "name": "bad",
                "ious": [0.2, 0.3, None],
                "clicks": [[3.0, 4.0, True], [0.0, 0.0, False], [1.0, 2.0, True]],
                "seconds": 0.75,
            },
        ],
    }
    return run | changes


def noc_document(*runs: dict[str, Any]) -> dict[str, Any]:
    """What `bench noc -o` saves."""
    return {
        "kind": "ritm-edge noc",
        "format_version": 1,
        "machine": {"cpu": "Test CPU", "cores": 2, "usable_cores": 2, "os": "Linux"},
        "versions": {"python": "3.11.7", "onnxruntime": "1.23.0"},
        "reports": list(runs or [noc_run()]),
    }


def save(path: Path, values: Any) -> Path:
    """Write JSON."""
    path.write_text(json.dumps(values))
    return path
