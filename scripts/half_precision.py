"""The tables of docs/accelerators.md: half_precision.py -o RESULTS.json [--models …] [FILE…]

Of embedded models at sizes, the graphs of all targets in every mode of `verify --emulate fp16`. Of
files, `verify --delegates`, and the evaluator of ML Programs for an .mlpackage.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ritm_edge.cli.options import parse_size
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.onnx.graph import onnx_graph
from ritm_edge.export.registry import all_targets
from ritm_edge.export.rewrites import rewrite
from ritm_edge.io_spec import MASK, IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.base import ModelFile
from ritm_edge.runtimes.pytorch import open_file
from ritm_edge.verification.accelerators import KIND
from ritm_edge.verification.half_graph import HalfMode
from ritm_edge.verification.half_precision import EmulatedDevice, judge
from ritm_edge.weights import checkpoint_path


def emulated(model: str, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """The graphs of all targets at one size; targets with the same rewrites share one."""
    reference = open_file(ModelFile(checkpoint_path(Path(model))))
    spec = IOSpec(*size, prev_mask=reference.spec.prev_mask)
    graphs: dict[tuple[str, ...], tuple[Any, list[str]]] = {}
    for target in all_targets():
        graph, applied = rewrite(reference.model, spec, target.rewrites)
        graphs.setdefault(applied, (graph, []))[1].append(target.name)
    for graph, targets in graphs.values():
        exported = onnx_graph(ExportInput(graph, example_inputs(spec), (MASK,)))
        devices = (EmulatedDevice(exported, spec, mode) for mode in HalfMode)
        modes = [judge(each, reference, sample_objects()[:1]).as_dict() for each in devices]
        name = f"{model} {size[0]}x{size[1]}, {', '.join(targets)}"
        yield {"artifact": name, "modes": modes}


def verified(path: Path) -> Iterator[dict[str, Any]]:
    """What `verify` finds about a file: who takes its operations, or, of an ML Program, what our
    evaluator makes of it."""
    options = ("--emulate", "fp16") if path.suffix == ".mlpackage" else ("--delegates",)
    command = [sys.executable, "-m", "ritm_edge", "verify", path, *options, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"verify {path} {' '.join(options)} failed")
    yield json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--sizes", nargs="*", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    found = chain(
        *(emulated(model, parse_size(size)) for model in given.models for size in given.sizes),
        *(verified(path) for path in given.files),
    )
    rows = []
    for row in found:
        rows.append(row)
        print(json.dumps(row), flush=True)
        given.output.write_text(json.dumps({"kind": KIND, "artifacts": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
