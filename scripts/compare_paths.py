"""Compares trainings with batches made on the device and on the CPU path: `make paths`.

Usage: compare_paths.py FOLDER OUTPUT.json, where FOLDER holds the runs cpu-SEED and device-SEED.
"""

import json
import statistics
import sys
from pathlib import Path

from ritm_edge.benchmarks.machine import describe_machine, describe_versions
from ritm_edge.files import write_output


def means(log: Path) -> dict[str, float]:
    """Loss and IoU over the second half of a run."""
    rows = [json.loads(row) for row in log.read_text().splitlines()]
    rows = [row for row in rows if row["step"] > rows[-1]["step"] / 2]
    return {name: statistics.mean(row[name] for row in rows) for name in ("loss", "iou")}


def main(folder: Path, output: Path) -> None:
    """Write the means of every run, their differences, and the noise between seeds."""
    seeds = sorted(path.name.removeprefix("cpu-") for path in folder.glob("cpu-*"))
    runs = {
        path: {seed: means(folder / f"{path}-{seed}" / "log.jsonl") for seed in seeds}
        for path in ("cpu", "device")
    }
    report: dict[str, object] = {"kind": "training paths", "runs": runs}
    for name in ("loss", "iou"):
        cpu, device = ([run[name] for run in runs[path].values()] for path in ("cpu", "device"))
        noise = max(statistics.stdev(cpu), statistics.stdev(device))
        difference = statistics.mean(device) - statistics.mean(cpu)
        report[name] = {
            "difference": round(difference, 5),
            "standard_deviation_between_seeds": round(noise, 5),
            "within_noise": abs(difference) <= noise,
        }
    report |= {"machine": describe_machine(), "versions": describe_versions()}
    write_output(output, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
