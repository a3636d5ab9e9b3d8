"""Milliseconds of a click on a photo of 12 megapixels without the network, interleaved.

    python scripts/time_session.py ARTIFACT... [--threads 2] [--clicks 60] [-o FILE]

Rows: the app protocol in Python (`advance` and `mask_at` for a screen of 1080×1440), the same with
the artifact's session graphs, and the published protocol, whose clicks work on maps of the photo's
size, as clicks of the app protocol did before. Outputs of the network are made up, no flip.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.benchmarks.machine import describe_machine, describe_versions
from ritm_edge.files import write_output
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.session.graph_protocol import graph_options
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.verification.session_check import MadeRuntime, made_output

SIZE, SCREEN = (3000, 4000), (1080, 1440)
AGAIN = 8  # clicks after which each session starts anew


def main() -> None:
    """Time every artifact and print one line per row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("artifacts", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clicks", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows = []
    for path in options.artifacts:
        found = _times(path, options.threads, options.clicks)
        for name, values in found.items():
            low, median, high = (float(each) for each in np.percentile(values, (25, 50, 75)))
            rows.append({"file": path.name, "row": name, "clicks": len(values),
                         "median_ms": median, "quartiles_ms": [low, high]})  # fmt: skip
            print("{file:28s} {row:10s} {median_ms:7.1f} ms".format(**rows[-1]))
    if options.output is not None:
        document = {"kind": "ritm-edge session times", "format_version": 1, "photo": SIZE,
                    "screen": SCREEN, "threads": options.threads, "rows": rows,
                    "machine": describe_machine(), "versions": describe_versions()}  # fmt: skip
        write_output(options.output, json.dumps(document, indent=1) + "\n")


def _times(path: Path, threads: int, clicks: int) -> dict[str, list[float]]:
    artifact = open_runtime(path, threads=threads)
    fixed = graph_options(artifact.info and artifact.info.session)
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    at = [np.linspace(0, n - 1, m, dtype=np.float32) for n, m in zip(SIZE, SCREEN, strict=True)]
    made = MadeRuntime(artifact)
    protocols = ["app", "graphs", "published"]
    sessions: dict[str, Any] = {
        name: InteractiveSession(made, **{**fixed, "protocol": name, "flip": False})
        for name in protocols
    }
    found: dict[str, list[float]] = {name: [] for name in protocols}
    for number in range(clicks + 1):
        if number % AGAIN == 0:
            for session in sessions.values():
                session.set_image(photo)
        output = made_output(rng, artifact.spec.size or (0, 0))
        where = [float(rng.uniform(0, n - 1)) for n in SIZE]
        for name in rng.permutation(protocols):
            made.answers = [output]
            started = time.perf_counter()
            if name == "published":
                sessions[name].click(*where)
            else:
                sessions[name].advance(*where)
                sessions[name].mask_at(*at)
            if number:  # the first one allocates
                found[name].append((time.perf_counter() - started) * 1e3)
    return found


if __name__ == "__main__":
    main()
