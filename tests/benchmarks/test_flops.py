"""FLOPs: the paper's figures, and the same work found in every export of one network."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from typer.testing import CliRunner

from ritm_edge.benchmarks.flops.convention import (
    ACTIVATION,
    ARITHMETIC,
    CONVOLUTION,
    DEPTHWISE,
    PRODUCT,
    QUANTISATION,
    RESIZE,
    Rule,
)
from ritm_edge.benchmarks.flops.mlprogram import count_mlprogram
from ritm_edge.benchmarks.flops.ncnn import count_ncnn
from ritm_edge.benchmarks.flops.onnx import count_onnx
from ritm_edge.benchmarks.flops.openvino import count_openvino
from ritm_edge.benchmarks.flops.pytorch import count_model
from ritm_edge.benchmarks.flops.report import NETWORKS, as_document, measure_artifact, model_row
from ritm_edge.benchmarks.flops.tflite import count_tflite
from ritm_edge.benchmarks.markdown import flops_table
from ritm_edge.benchmarks.published import published
from ritm_edge.cli.main import app
from ritm_edge.errors import ArtifactError, UnsupportedOperationError
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.registry import all_targets, find_target
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.model.ritm import HRNETS, ModelConfig

from ..core.mlprogram_build import mb, write_program
from ..models import TINY, tiny_model
from ..runtimes import tiny_info

FORMATS = {
    "onnx": "onnx",
    "tflite": "tflite",
    "coreml": "mlpackage",
    "openvino": "openvino",
    "ncnn": "ncnn",
}
ELSEWHERE = {"executorch"}  # tests/export/test_executorch.py, which has its file already
SPEC = IOSpec(64, 96, max_clicks=3)
INPUTS = {
    "image": np.zeros((1, 3, 64, 96), np.float32),
    "clicks": np.full((1, 6, 3), -1, np.float32),
    "prev_mask": np.zeros((1, 1, 64, 96), np.float32),
}


@pytest.mark.parametrize("row", published()["flops"]["rows"], ids=lambda row: row["model"])
def test_the_paper_s_figures_are_reproduced_to_the_last_digit(row):
    config = ModelConfig(row["model"], decoder_channels=row["decoder_channels"])
    counted = count_model(config, (400, 400))
    assert round(counted.published_flops / 1e9, 2) == row["flops"] / 1e9


def test_every_published_figure_has_its_network():
    rows = published()["flops"]["rows"]
    assert {(r["model"], r["decoder_channels"]) for r in rows} < set(NETWORKS)


def test_work_grows_with_the_picture_and_the_click_slots():
    small = count_model(ModelConfig("hrnet18s"), (128, 128)).count
    large = count_model(ModelConfig("hrnet18s"), (256, 256)).count
    # The convolutions of the one context vector do not grow.
    ratio = large.kinds[CONVOLUTION].macs / small.kinds[CONVOLUTION].macs
    assert ratio == pytest.approx(4, rel=1e-4)
    assert large.parameters == small.parameters
    more = count_model(ModelConfig("hrnet18s"), (128, 128), max_clicks=24).count
    assert more.macs == small.macs
    assert more.kinds[ARITHMETIC].flops > small.kinds[ARITHMETIC].flops


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """One small network in every format."""
    folder = tmp_path_factory.mktemp("flops")
    graph = RewritableGraph(tiny_model())
    for name, suffix in FORMATS.items():
        path, target = folder / f"tiny.{suffix}", find_target(name)
        target.convert(ExportInput(graph, example_inputs(SPEC), ("mask",)), path)
        target.stamp(path, tiny_info(SPEC, name).to_json())
    return folder


@pytest.fixture
def _tiny(monkeypatch):
    monkeypatch.setitem(HRNETS, "hrnet18s", TINY)


@pytest.mark.usefixtures("_tiny")
def test_every_format_executes_the_products_of_the_network(artifacts):
    reference = count_model(ModelConfig("hrnet18s"), (64, 96), max_clicks=3).count
    counts = {
        "onnx": count_onnx(artifacts / "tiny.onnx", INPUTS),
        "tflite": count_tflite(artifacts / "tiny.tflite")["serving_default"],
        "coreml": count_mlprogram(artifacts / "tiny.mlpackage"),
        "openvino": count_openvino(artifacts / "tiny.openvino"),
        "ncnn": count_ncnn(artifacts / "tiny.ncnn"),
    }
    assert counts.keys() | ELSEWHERE == {target.name for target in all_targets()}
    for name, count in counts.items():
        assert count.kinds[CONVOLUTION].macs == reference.kinds[CONVOLUTION].macs, name
        assert count.kinds[PRODUCT].macs == reference.kinds[PRODUCT].macs, name
        # An export leaves out the upsampling of the auxiliary output.
        auxiliary = 64 * 96 * Rule.BILINEAR.per_element
        assert count.kinds[RESIZE].flops == reference.kinds[RESIZE].flops - auxiliary, name
        # Batch normalisations are folded into the convolutions, which then all have a bias.
        assert "batch normalisation" not in count.kinds, name
        assert count.parameters >= reference.parameters, name
        assert count.flops < reference.flops, name


@pytest.mark.usefixtures("_tiny")
def test_integers_are_counted_as_the_numbers_they_stand_for(tmp_path, artifacts):
    path = tmp_path / "int8.onnx"
    # ONNX Runtime convolves with unsigned weights only.
    quantize_dynamic(
        artifacts / "tiny.onnx",
        path,
        op_types_to_quantize=["Conv"],
        weight_type=QuantType.QUInt8,
    )
    integers, floats = (count_onnx(p, INPUTS) for p in (path, artifacts / "tiny.onnx"))
    assert integers.kinds[CONVOLUTION].macs == floats.kinds[CONVOLUTION].macs
    assert integers.kinds[QUANTISATION].flops > 0
    assert QUANTISATION not in floats.kinds


def test_rows_of_a_results_file(artifacts):
    (row,) = measure_artifact(artifacts / "tiny.onnx")
    assert (row["file"], row["runtime"], row["size"]) == ("tiny.onnx", "onnx", [64, 96])
    assert (row["max_clicks"], row["signature"]) == (3, None)
    assert row["flops"] == sum(kind["flops"] for kind in row["kinds"].values())
    document = as_document([], [row])
    assert "tiny.onnx" in flops_table(document)


def graph_file(path, nodes, *, inputs, outputs, constants=()):
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


def test_onnx_layers_by_hand(tmp_path):
    path = graph_file(
        tmp_path / "a.onnx",
        [
            helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[3, 3]),
            helper.make_node("Conv", ["y", "d"], ["z"], kernel_shape=[1, 1], group=4),
            helper.make_node("Relu", ["z"], ["out"]),
        ],
        inputs={"x": ["n", 2, "h", "w"]},
        outputs={"out": None},
        constants=[
            ("w", np.zeros((4, 2, 3, 3), np.float32)),
            ("b", np.zeros(4, np.float32)),
            ("d", np.zeros((4, 1, 1, 1), np.float32)),
        ],
    )
    count = count_onnx(path, {"x": np.zeros((1, 2, 7, 10), np.float32)})
    pixels = 4 * 5 * 8
    assert count.kinds[CONVOLUTION].macs == pixels * 18
    assert count.kinds[CONVOLUTION].flops == pixels * 18 * 2 + pixels
    assert count.kinds[DEPTHWISE].flops == pixels * 2
    assert count.kinds[ACTIVATION].flops == pixels
    assert count.parameters == 72 + 4 + 4


def test_core_ml_weights_in_8_bits_are_weights_and_unpacking_them_is_no_work(tmp_path):
    def unpacked(*shape):
        return mb.constexpr_affine_dequantize(
            quantized_data=np.ones(shape, np.int8),
            zero_point=np.int8(0),
            scale=np.float32(0.5),
            axis=0,
        )

    def network(weight):
        def build(a):
            seen = mb.conv(x=a, weight=weight(4, 2, 3, 3), pad_type="valid")
            return mb.matmul(x=seen, y=weight(8, 6))

        return build

    counts = [
        count_mlprogram(write_program(tmp_path / name, network(weight), (1, 2, 7, 10)))
        for name, weight in (
            ("packed.mlpackage", unpacked),
            ("float.mlpackage", lambda *shape: np.ones(shape, np.float32)),
        )
    ]
    assert counts[0] == counts[1]
    assert counts[0].parameters == 72 + 48
    assert counts[0].kinds[CONVOLUTION].macs == 4 * 5 * 8 * 18
    assert counts[0].kinds[PRODUCT].macs == 4 * 5 * 6 * 8


def test_an_unknown_operation_is_named_not_counted_as_nothing(tmp_path):
    path = graph_file(
        tmp_path / "a.onnx",
        [helper.make_node("Hardmax", ["x"], ["out"])],
        inputs={"x": [2, 3]},
        outputs={"out": [2, 3]},
    )
    with pytest.raises(UnsupportedOperationError, match="'Hardmax'"):
        count_onnx(path, {"x": np.zeros((2, 3), np.float32)})
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtifactError):
        count_onnx(path, {"x": np.zeros((2, 3), np.float32)})


def test_command_line(artifacts, tmp_path):
    saved = tmp_path / "flops.json"
    arguments = ["bench", "flops", str(artifacts / "tiny.onnx"), "--json", "-o", str(saved)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    document = json.loads(saved.read_text())
    assert json.loads(done.stdout) == document
    assert [row["model"] for row in document["models"]] == [name for name, _ in NETWORKS]
    assert document["models"][4]["paper_flops"] == 170.13e9


def test_the_paper_s_figures_belong_to_its_size():
    row = model_row(ModelConfig("deeplab_r50", decoder_channels=128), (96, 96))
    assert row["paper_flops"] is None
    document = as_document([row], [], (96, 96))
    assert "| deeplab_r50, decoder 128 | 31.41 M |" in flops_table(document)


def test_embedded_weights_are_measured_by_name():
    done = CliRunner().invoke(app, ["bench", "flops", "lite0", "--size", "64x64", "--json"])
    assert done.exit_code == 0, done.exception
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert artifact["file"] == "lite0.safetensors"
