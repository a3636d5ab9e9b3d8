"""Core ML in half precision: everything but the clicks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ritm_edge.export.pipeline import artifact_name, export_model
from ritm_edge.export.precision import Demand
from ritm_edge.export.registry import find_target
from ritm_edge.export.source import Source
from ritm_edge.io_spec import IOSpec
from ritm_edge.mlprogram import evaluator
from ritm_edge.mlprogram.evaluator import Program
from ritm_edge.model.export_graph import InferenceGraph, example_inputs
from ritm_edge.runtimes.base import open_runtime

from ..models import tiny_model
from ..runtimes import tiny_info, tiny_reference
from .precision_graphs import PaintedGraph, awkward_clicks, random_inputs

SPEC = IOSpec(64, 96, max_clicks=3)


def convert(graph, spec, path):
    source = Source(graph, example_inputs(spec), ("mask",))
    find_target("coreml").precisions["fp16"].convert(source, path)
    return Program.open(path)


@pytest.mark.parametrize("size", [(75, 101), (1024, 1024)], ids=str)
def test_disks_are_bit_equal(size, tmp_path, monkeypatch):
    """Observed inside of the artifact while the whole of it runs."""
    spec = IOSpec(*size, max_clicks=4)
    graph = PaintedGraph().eval()
    program = convert(graph, spec, tmp_path / "m.mlpackage")
    maps = []
    check = evaluator._check_result

    def observe(step, name, declared, result):
        check(step, name, declared, result)
        if declared.shape == (1, 2, *size) and declared.dtype == "fp16":
            maps.append(result)

    monkeypatch.setattr(evaluator, "_check_result", observe)
    inputs = random_inputs(*size, 4, 1)[0]
    painted = 0
    for clicks in awkward_clicks(*size, slots=4):
        maps.clear()
        program.run({**inputs, "clicks": clicks})
        expected = graph.model.encode_clicks(torch.from_numpy(clicks), *size)
        (disks,) = maps
        assert torch.equal(disks.float(), expected)
        painted += int(expected.sum())
    assert painted > 200


def test_the_network_computes_in_half_precision_and_the_mask_stays_close(tmp_path):
    graph = InferenceGraph(tiny_model())
    program = convert(graph, SPEC, tmp_path / "m.mlpackage")
    convolutions = [
        declared.dtype
        for step in program._compiled.steps
        if step.operation.name == "conv"
        for _, declared in step.outputs
    ]
    assert len(convolutions) > 50
    assert set(convolutions) == {"fp16"}
    assert {(name, declared.dtype) for name, declared in program.inputs.items()} == {
        ("image", "fp32"),
        ("clicks", "fp32"),
        ("prev_mask", "fp32"),
    }
    inputs = random_inputs(*SPEC.size, SPEC.max_clicks, 1)[0]
    mask = program.run(inputs)["mask"]
    with torch.inference_mode():
        expected = graph(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    assert mask.dtype == np.float32
    assert 0 < np.abs(mask - expected.numpy()).max() < 0.01


def test_the_export_halves_the_file_and_is_judged_by_its_masks(tmp_path):
    spec = IOSpec(64, 96)  # judged by five clicks
    target = find_target("coreml")
    demand = Demand(accept_loss=True)  # masks of random weights are noise
    sizes = {}
    for precision in ("fp32", "fp16"):
        path = tmp_path / artifact_name("tiny", spec, target, precision)
        info = replace(tiny_info(spec, "coreml"), precision=precision)
        exported = export_model(tiny_reference(), info, target, path, demand=demand)
        sizes[precision] = sum(f.stat().st_size for f in path.rglob("weight.bin"))
        assert open_runtime(path).info.precision == precision
        assert exported.rewrites
        assert (exported.task is None) == (precision == "fp32")
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
