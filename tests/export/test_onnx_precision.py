"""ONNX below float32: what becomes integer, what stays, and disks that are exact in all of it."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from ritm_edge.errors import UsageError
from ritm_edge.export.click_subgraph import find_click_subgraph
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.onnx import precision as onnx_precision
from ritm_edge.export.onnx.graph import onnx_graph
from ritm_edge.export.onnx.precision import layer_of, named, weights_to_fp16
from ritm_edge.export.registry import find_target
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.onnx import open_session

from ..models import tiny_model
from .precision_graphs import PaintedGraph, awkward_clicks, random_inputs

SPEC = IOSpec(64, 96, max_clicks=3)
PRECISIONS = tuple(find_target("onnx").precisions)


@pytest.fixture(scope="module")
def float_graphs():
    return {}


@pytest.fixture(autouse=True)
def exported_once(monkeypatch, float_graphs):
    """The float32 export is the slow half of every conversion, and the same for all of them."""

    def export_or_copy(source):
        shapes = tuple(v.shape for v in source.example.values())
        key = type(source.graph), shapes, source.any_size
        if key not in float_graphs:
            float_graphs[key] = onnx_graph(source).SerializeToString()
        return onnx.load_from_string(float_graphs[key])

    monkeypatch.setattr(onnx_precision, "onnx_graph", export_or_copy)


def convert(graph, precision, spec, path, **how):
    size = spec.size or (96, 128)
    calibration = random_inputs(*size, spec.max_clicks, 4)
    source = ExportInput(graph, example_inputs(spec), ("mask",), calibration=calibration, **how)
    find_target("onnx").precisions[precision].convert(source, path)
    return onnx.load(path)


def run(model, inputs, names=None):
    return open_session(model.SerializeToString()).run(names, inputs)


def test_three_precisions_are_offered():
    assert PRECISIONS == ("fp16", "int8", "int8-dynamic")


def check_disks(model, graph, sizes):
    """Observed inside of the artifact while the whole of it runs."""
    (maps,) = find_click_subgraph(model.graph).maps
    model.graph.output.append(onnx.helper.make_tensor_value_info(maps, 1, None))
    painted = 0
    for size in sizes:
        inputs = random_inputs(*size, 4, 1)[0]
        for clicks in awkward_clicks(*size, slots=4):
            (disks,) = run(model, {**inputs, "clicks": clicks}, [maps])
            expected = graph.model.encode_clicks(torch.from_numpy(clicks), *size).numpy()
            assert disks.dtype == np.float32
            assert disks.tobytes() == expected.tobytes()
            painted += int(disks.sum())
    assert painted > 200


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("size", [(75, 101), (1024, 1024)], ids=str)
def test_disks_are_bit_equal(precision, size, tmp_path):
    graph = PaintedGraph().eval()
    model = convert(graph, precision, IOSpec(*size, max_clicks=4), tmp_path / "m.onnx")
    check_disks(model, graph, [size])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_disks_are_bit_equal_where_height_and_width_are_open(precision, tmp_path):
    graph = PaintedGraph().eval()
    spec = IOSpec(max_clicks=4)
    model = convert(graph, precision, spec, tmp_path / "m.onnx", any_size=True)
    check_disks(model, graph, [(75, 101), (400, 400)])


def test_int8_has_integer_convolutions_with_a_scale_per_channel(tmp_path):
    model = convert(
        RewritableGraph(tiny_model()),
        "int8",
        SPEC,
        tmp_path / "m.onnx",
        keep_float=("feature_extractor.cls_head",),
    )
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    dequantized = {
        node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"
    }
    kinds = Counter()
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        source = dequantized.get(node.input[1])
        if source is None:
            assert "cls_head" in node.input[1]
            kinds["float"] += 1
            continue
        weight, scale = (initializers[name] for name in source.input[:2])
        assert weight.data_type == onnx.TensorProto.INT8
        assert list(scale.dims) == [weight.dims[0]]
        kinds["int8"] += 1
    assert kinds["float"] == 1
    assert kinds["int8"] > 50


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_mask_stays_close_and_the_file_becomes_small(precision, tmp_path):
    graph = RewritableGraph(tiny_model())
    model = convert(graph, precision, SPEC, tmp_path / "m.onnx")
    source = ExportInput(graph, example_inputs(SPEC), ("mask",))
    plain = onnx_precision.onnx_graph(source)
    inputs = random_inputs(*SPEC.size, SPEC.max_clicks, 1)[0]
    (expected,) = run(plain, inputs)
    (mask,) = run(model, inputs)
    assert np.abs(mask - expected).mean() < (1e-3 if precision == "fp16" else 0.1)
    assert not np.array_equal(mask, expected)
    whole, small = (
        sum(len(t.raw_data) for t in each.graph.initializer if len(t.dims) == 4)
        for each in (plain, model)
    )
    share = {"fp16": 0.55, "int8": 0.3, "int8-dynamic": 0.3}[precision]
    assert small < share * whole


@pytest.mark.parametrize("precision", PRECISIONS)
def test_height_and_width_can_stay_open(precision, tmp_path):
    spec = IOSpec(max_clicks=2)
    graph = RewritableGraph(tiny_model())
    model = convert(graph, precision, spec, tmp_path / "m.onnx", any_size=True)
    inputs = random_inputs(61, 83, 2, 1)[0]
    (mask,) = run(model, inputs)
    assert mask.shape == (1, 1, 61, 83)
    with torch.inference_mode():
        expected = graph(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    assert np.abs(mask - expected.numpy()).mean() < 0.05


def test_weights_too_large_for_half_precision_stay_as_they_are():
    graph = PaintedGraph().eval()
    graph.head.weight.data[0, 0] = 1e5
    model = onnx_graph(ExportInput(graph, example_inputs(SPEC), ("mask",)))
    weights_to_fp16(model)
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert types["head.weight"] == onnx.TensorProto.FLOAT
    assert types["features.weight_half"] == onnx.TensorProto.FLOAT16


def test_layers_are_called_as_in_the_checkpoint():
    reference = tiny_model()
    graph = RewritableGraph(reference)
    source = ExportInput(graph, example_inputs(SPEC), ("mask",))
    layers = set(layer_of(named(onnx_precision.onnx_graph(source))).values())
    assert layers <= set(reference.state_dict())
    assert "feature_extractor.cls_head.weight" in layers


def test_an_unknown_layer_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no layer is called nonsense"):
        convert(PaintedGraph().eval(), "int8", SPEC, tmp_path / "m.onnx", keep_float=("nonsense",))
    assert list(tmp_path.iterdir()) == []
