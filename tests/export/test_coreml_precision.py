"""Core ML in half precision, from weights in 16 and in 8 bits: everything but the clicks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ritm_edge.artifacts.mlprogram import evaluator
from ritm_edge.errors import UsageError
from ritm_edge.export import coreml_precision
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.pipeline import artifact_name, export_model
from ritm_edge.export.precision import PrecisionOptions
from ritm_edge.export.registry import find_target
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.base import open_runtime

from ..graphs import open_program, operations
from ..models import tiny_model
from ..runtimes import tiny_info, tiny_reference
from .precision_graphs import PaintedGraph, awkward_clicks, random_inputs

SPEC = IOSpec(64, 96, max_clicks=3)


UNPACK = "constexpr_affine_dequantize"


def convert(graph, spec, path, precision, keep_float=()):
    source = ExportInput(graph, example_inputs(spec), ("mask",), keep_float=keep_float)
    find_target("coreml").precisions[precision].convert(source, path)
    return open_program(path)


@pytest.fixture
def _small_weights_too(monkeypatch):
    """Even in a network of a few channels the weights are stored in 8 bits."""
    monkeypatch.setattr(coreml_precision, "SMALL", 0)


@pytest.mark.usefixtures("_small_weights_too")
@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("size", [(75, 101), (1024, 1024)], ids=str)
def test_disks_are_bit_equal(size, precision, tmp_path, monkeypatch):
    """Observed inside of the artifact while the whole of it runs."""
    spec = IOSpec(*size, max_clicks=4)
    graph = PaintedGraph().eval()
    program = convert(graph, spec, tmp_path / "m.mlpackage", precision)
    assert operations(program)[UNPACK] == (1 if precision == "int8" else 0)
    maps = []
    execute = evaluator._execute

    def observe(step, values, weights):
        result = execute(step, values, weights)
        if (step.declared.shape, step.declared.dtype) == ((1, 2, *size), "fp16"):
            maps.append(result)
        return result

    monkeypatch.setattr(evaluator, "_execute", observe)
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


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.01), ("int8", 0.1)])
def test_the_network_computes_in_half_precision_and_the_mask_stays_close(
    precision, tolerance, tmp_path
):
    graph = RewritableGraph(tiny_model())
    program = convert(graph, SPEC, tmp_path / "m.mlpackage", precision)
    convolutions = [
        step.declared.dtype for step in program._compiled.steps if step.operation.name == "conv"
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
    assert 0 < np.abs(mask - expected.numpy()).max() < tolerance


class Layers(nn.Module):
    """A convolution for each weight [C', C, 3, 3], one after the other."""

    def __init__(self, **weights):
        super().__init__()
        self.model = nn.Module()
        for name, weight in weights.items():
            layer = nn.Conv2d(*weight.shape[1::-1], 3, padding=1)
            layer.weight.data = weight
            self.model.add_module(name, layer)

    def forward(self, image):
        for layer in self.model.children():
            image = torch.relu(layer(image))
        return image


def layers_in_int8(tmp_path, keep_float=(), **weights):
    """What a float16 program stores in 8 bits, and the steps that unpack it."""
    graph = Layers(**weights).eval()
    path = tmp_path / "m.mlpackage"
    source = ExportInput(graph, {"image": torch.rand(1, 3, 5, 5)}, ("mask",), keep_float=keep_float)
    find_target("coreml").precisions["int8"].convert(source, path)
    compiled = open_program(path)._compiled
    steps = [step for step in compiled.steps if step.operation.name == UNPACK]
    return {step.name.split("_")[2]: (step, compiled.weights) for step in steps}


def random_weight(outputs, inputs, largest=1.0, seed=0):
    """Its channels reach from a tenth of `largest` up to it."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand((outputs, inputs, 3, 3), generator=generator) * 2 - 1
    weight /= weight.abs().amax((1, 2, 3), keepdim=True)
    return weight * torch.linspace(largest / 10, largest, outputs)[:, None, None, None]


def test_weights_are_symmetric_with_one_scale_for_each_output_channel(tmp_path):
    weight = random_weight(96, 3)
    ((step, constants),) = layers_in_int8(tmp_path, first=weight).values()
    stored, zero, scale = (
        constants[step.tensors[key]] for key in ("quantized_data", "zero_point", "scale")
    )
    assert (stored.dtype, scale.dtype) == (torch.int8, torch.float16)
    assert not zero.any()
    assert stored.abs().amax((1, 2, 3)).tolist() == [127] * 96
    torch.testing.assert_close(scale.float() * 127, weight.abs().amax((1, 2, 3)), rtol=2e-3, atol=0)
    error = (stored * scale.float()[:, None, None, None] - weight).abs().amax((1, 2, 3))
    assert (error < 0.6 * scale).all()


def test_small_tiny_and_named_weights_are_left_alone(tmp_path):
    """Tiny: scales that are no normal float16 numbers. Equal weights would be stored once."""
    weights = {
        "small": random_weight(48, 3),
        "large": random_weight(48, 48),
        "tiny": random_weight(48, 48, largest=127 * 2**-14),
        "other": random_weight(48, 48, seed=1),
        "last": random_weight(48, 48, seed=2),
    }
    assert layers_in_int8(tmp_path, **weights).keys() == {"large", "other", "last"}
    kept = layers_in_int8(tmp_path, keep_float=("la", "other"), **weights)
    assert kept.keys() == set()
    with pytest.raises(UsageError, match="no layer is called middle"):
        layers_in_int8(tmp_path, keep_float=("middle",), **weights)


def test_the_export_shrinks_the_file_and_is_judged_by_its_masks(tmp_path):
    spec = IOSpec(64, 96)  # judged by five clicks
    target = find_target("coreml")
    sizes = {}
    for precision in ("fp32", "fp16", "int8"):
        path = tmp_path / artifact_name("tiny", spec, target, precision)
        info = replace(tiny_info(spec, "coreml"), precision=precision)
        # Masks of random weights are noise.
        options = PrecisionOptions(accept_loss=precision != "fp32")
        exported = export_model(tiny_reference(), info, target, path, options=options)
        sizes[precision] = sum(f.stat().st_size for f in path.rglob("weight.bin"))
        assert open_runtime(path).info.precision == precision
        assert exported.rewrites
        assert (exported.task is None) == (precision == "fp32")
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert sizes["int8"] < 0.4 * sizes["fp32"]
