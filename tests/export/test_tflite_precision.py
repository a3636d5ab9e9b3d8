"""TFLite below float32: disks that are exact in all of it, integer convolutions, small files."""

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx2tf", reason="the tflite extra is not installed")

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from ritm_edge.errors import UsageError
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.registry import find_target
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.export.targets import tflite
from ritm_edge.export.tflite.flatbuffer import operators, pack, unpack
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs

from ..graphs import flatbuffer_of, run_tflite
from ..models import tiny_model
from .precision_graphs import PaintedGraph, awkward_clicks, random_inputs

SPEC = IOSpec(64, 96, max_clicks=3)
PRECISIONS = tuple(find_target("tflite").precisions)


def convert(graph, precision, spec, path):
    calibration = random_inputs(*spec.size, spec.max_clicks, 4)
    source = ExportInput(graph, example_inputs(spec), ("mask",), calibration=calibration)
    find_target("tflite").precisions[precision].convert(source, path)
    return path


def test_three_precisions_are_offered():
    assert PRECISIONS == ("fp16", "int8", "int8-dynamic")


def click_maps(model, size):
    """The last tensor in the shape of the maps that depends on the clicks alone."""
    graph = model.subgraphs[0]
    buffers = [model.buffers[tensor.buffer].data for tensor in graph.tensors]
    constant = {i for i, data in enumerate(buffers) if data is not None and len(data)}
    clean = {i for i in graph.inputs if b"clicks" in graph.tensors[i].name}
    found = None
    for _, operator in operators(model):
        variable = {i for i in operator.inputs if i >= 0} - constant
        if not variable or not variable <= clean:
            continue
        clean |= set(operator.outputs)
        for index in operator.outputs:
            tensor = graph.tensors[index]
            known = tensor.type in (schema.TensorType.FLOAT32, schema.TensorType.INT8)
            if known and sorted(tensor.shape) == sorted((1, 2, *size)):
                found = index
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("precision", "size", "rewritten"),
    [
        ("fp16", (75, 101), True),
        ("int8", (1024, 1024), True),
        ("int8", (400, 400), False),
        ("int8-dynamic", (75, 101), True),
    ],
    ids=str,
)
def test_disks_are_bit_equal(precision, size, rewritten, tmp_path):
    """Observed inside of the artifact while the whole of it runs; as integers in int8, where they
    take the scale of the image that they are joined with."""
    spec = IOSpec(*size, max_clicks=4)
    graph = PaintedGraph(rewritten=rewritten).eval()
    model = unpack(flatbuffer_of(convert(graph, precision, spec, tmp_path / "m.tflite")))
    maps = click_maps(model, size)
    outputs = [*model.subgraphs[0].outputs, maps]
    model.subgraphs[0].outputs = outputs
    model.signatureDefs = []
    interpreter = Interpreter(model_content=pack(model), num_threads=1)
    interpreter.allocate_tensors()
    inputs = random_inputs(*size, 4, 1)[0]
    painted = 0
    for clicks in awkward_clicks(*size, slots=4):
        for entry in interpreter.get_input_details():
            array = {**inputs, "clicks": clicks}[entry["name"]]
            nhwc = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
            interpreter.set_tensor(entry["index"], np.ascontiguousarray(nhwc))
        interpreter.invoke()
        disks = interpreter.get_tensor(maps)
        if disks.shape[1] != 2:
            disks = disks.transpose(0, 3, 1, 2)
        expected = graph.model.encode_clicks(torch.from_numpy(clicks), *size).numpy()
        if disks.dtype == np.int8:
            (detail,) = (d for d in interpreter.get_tensor_details() if d["index"] == maps)
            scale, zero = detail["quantization"]
            disks = scale * (disks.astype(np.float32) - zero)
            assert np.abs(disks - expected).max() <= 0.5001 * scale < 0.02
            disks = np.round(disks)
        assert disks.astype(np.float32).tobytes() == expected.tobytes()
        painted += int(disks.sum())
    assert painted > 200


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_mask_stays_close_and_weights_become_small(precision, tmp_path):
    graph = RewritableGraph(tiny_model())
    path = convert(graph, precision, SPEC, tmp_path / "m.tflite")
    inputs = random_inputs(*SPEC.size, SPEC.max_clicks, 1)[0]
    mask = run_tflite(path, inputs)["mask"]
    with torch.inference_mode():
        expected = graph(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    limit = 1e-3 if precision == "fp16" else 0.1
    assert np.abs(mask - expected.numpy()).mean() < limit
    assert not np.array_equal(mask, expected.numpy())
    model = unpack(flatbuffer_of(path))
    tensors = model.subgraphs[0].tensors
    types = [tensors[op.inputs[1]].type for kind, op in operators(model) if kind == "CONV_2D"]
    if precision == "fp16":
        halves = [t for t in tensors if t.type == schema.TensorType.FLOAT16]
        assert len(halves) > len(types) > 50
        # Else XNNPACK leaves the convolution to kernels that take four times as long.
        wide = {int(op.outputs[0]) for kind, op in operators(model) if kind == "DEQUANTIZE"}
        convolutions = [op for kind, op in operators(model) if kind == "CONV_2D"]
        assert all({int(i) for i in op.inputs[1:] if i >= 0} <= wide for op in convolutions)
        assert all(len(model.buffers[half.buffer].data) for half in halves)
        stored = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
        assert stored < 0.6 * 4 * sum(p.numel() for p in graph.parameters())
    else:
        assert types.count(schema.TensorType.INT8) > 50
    if precision == "int8":
        scales = [
            len(tensors[op.inputs[1]].quantization.scale)
            for kind, op in operators(model)
            if kind == "CONV_2D" and tensors[op.inputs[1]].type == schema.TensorType.INT8
        ]
        assert max(scales) > 8
        kinds = {kind for kind, op in operators(model) if tensors[op.outputs[0]].type == 9}
        assert not {"SOFTMAX", "BATCH_MATMUL", "GATHER", "LESS_EQUAL"} & kinds


class Residual(nn.Module):
    """A faint branch that is added to a loud one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Conv2d(4, 8, 3, padding=1)
        self.branch = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 1, 1)
        for parameter in self.branch.parameters():
            parameter.data *= 0.05

    def forward(self, image, prev_mask):
        loud = torch.relu(self.features(torch.cat((image / 255.0, prev_mask), dim=1)))
        return torch.sigmoid(self.head(torch.relu(loud + self.branch(loud))))


def residual_model(path, precision="int8", keep_float=()):
    recorded = [{n: i[n] for n in ("image", "prev_mask")} for i in random_inputs(16, 24, 1, 4)]
    example = {name: torch.from_numpy(array) for name, array in recorded[0].items()}
    graph = Residual().eval()
    source = ExportInput(graph, example, ("mask",), calibration=recorded, keep_float=keep_float)
    tflite.convert(source, path, precision=precision)
    return graph, recorded, unpack(flatbuffer_of(path))


def test_ranges_are_those_of_the_tensor_itself(tmp_path):
    """TensorFlow's own calibrator gives the branch the range of the sum."""
    graph, recorded, model = residual_model(tmp_path / "m.tflite")
    tensors = model.subgraphs[0].tensors
    outputs = [int(op.outputs[0]) for kind, op in operators(model) if kind == "CONV_2D"]
    sums = [int(op.outputs[0]) for kind, op in operators(model) if kind == "ADD"]
    branch = 255 * tensors[outputs[1]].quantization.scale[0]
    assert branch < 0.3 * 255 * tensors[sums[0]].quantization.scale[0]
    with torch.inference_mode():
        for each in recorded:
            mask = run_tflite(tmp_path / "m.tflite", each)["mask"]
            expected = graph(**{name: torch.from_numpy(array) for name, array in each.items()})
            assert np.abs(mask - expected.numpy()).mean() < 0.02


def test_named_layers_stay_in_float32(tmp_path):
    def in_integers(model):
        tensors = model.subgraphs[0].tensors
        return [
            tensors[op.inputs[1]].type == schema.TensorType.INT8
            for kind, op in operators(model)
            if kind == "CONV_2D"
        ]

    plain = residual_model(tmp_path / "a.tflite")[2]
    kept = residual_model(tmp_path / "b.tflite", keep_float=("branch",))[2]
    assert in_integers(plain)[:2] == [True, True]
    assert in_integers(kept)[:2] == [True, False]


@pytest.mark.parametrize(
    ("precision", "layer", "reason"),
    [
        ("int8", "nonsense", "no layer is called nonsense"),
        ("int8-dynamic", "branch", "leave out --keep-float"),
    ],
)
def test_layers_that_cannot_be_kept_are_refused(precision, layer, reason, tmp_path):
    with pytest.raises(UsageError, match=reason):
        residual_model(tmp_path / "m.tflite", precision, keep_float=(layer,))
    assert list(tmp_path.iterdir()) == []
