"""What `weights list` shows of the embedded weights, taken from the results that were measured.

`python -m ritm_edge.benchmarks.weight_figures docs/results ritm_edge/weights/figures.json`
"""

import json
import sys
from pathlib import Path
from typing import Any

from ritm_edge.files import existing_file, write_output
from ritm_edge.weights import EMBEDDED_MODELS


def weight_figures(noc: list[dict[str, Any]], flops: dict[str, Any]) -> dict[str, Any]:
    """Figures as `ritm_edge.weights.measured_figures` returns them, from reports of `bench noc`
    that hold the embedded weights and one of `bench flops` at 400×400."""
    clicks: dict[str, dict[str, float]] = {model: {} for model in EMBEDDED_MODELS}
    for report in (report for document in noc for report in document["reports"]):
        if report["file"] == f"{report['model']}.safetensors":
            to_90 = next(row["mean"] for row in report["noc"] if row["name"] == "NoC20@90")
            clicks[report["model"]][report["benchmark"]] = to_90
    rows = [row for row in flops["models"] if row["decoder_channels"] is None]
    return {"noc": clicks, "macs": {row["model"]: row["macs"] for row in rows}}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(existing_file(path).read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    results, target = map(Path, sys.argv[1:])
    clicks = [_read(results / f"noc-{model}.json") for model in EMBEDDED_MODELS]
    figures = weight_figures(clicks, _read(results / "flops.json"))
    write_output(target, json.dumps(figures, indent=1) + "\n")
