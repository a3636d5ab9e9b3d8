"""What is special about TFLite: how apps call it, its older ONNX, silence, the flatbuffer."""

import os
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx2tf", reason="the tflite extra is not installed")

import onnx
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from ritm_edge import open_runtime
from ritm_edge.artifacts.info import METADATA_KEY
from ritm_edge.artifacts.tflite import metadata_text
from ritm_edge.errors import ConversionError, OutputFileError
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.export.targets import tflite
from ritm_edge.export.tflite import process, worker
from ritm_edge.export.tflite.flatbuffer import unpack
from ritm_edge.export.tflite.onnx_passes import lower_opset
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs

from ..graphs import flatbuffer_of, run_tflite
from ..models import tiny_model
from ..runtimes import tiny_info

SPEC = IOSpec(64, 96, max_clicks=3)


def convert(model, spec, path):
    tflite.convert(ExportInput(RewritableGraph(model), example_inputs(spec), ("mask",)), path)
    tflite.stamp(path, tiny_info(spec, "tflite").to_json())
    return path


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return convert(tiny_model(), SPEC, tmp_path_factory.mktemp("tflite") / "tiny.tflite")


@pytest.fixture
def copy(artifact, tmp_path):
    path = tmp_path / "copy.tflite"
    path.write_bytes(artifact.read_bytes())
    return path


def test_apps_can_call_it_by_names(artifact):
    """As Android's `runSignature` does: with a plain interpreter and the documented layout."""
    interpreter = Interpreter(str(artifact))
    assert set(interpreter.get_signature_list()) == {"serving_default"}
    runner = interpreter.get_signature_runner("serving_default")
    inputs = {n: (tuple(d["shape"]), d["dtype"]) for n, d in runner.get_input_details().items()}
    assert inputs == {
        "image": ((1, 64, 96, 3), np.float32),
        "clicks": ((1, 6, 3), np.float32),
        "prev_mask": ((1, 64, 96, 1), np.float32),
    }
    outputs = {n: (tuple(d["shape"]), d["dtype"]) for n, d in runner.get_output_details().items()}
    assert outputs == {"mask": ((1, 64, 96, 1), np.float32)}
    tensors = interpreter.get_input_details() + interpreter.get_output_details()
    assert {tensor["name"] for tensor in tensors} == {"image", "clicks", "prev_mask", "mask"}


def test_images_stay_nhwc_inside_and_resizes_are_corner_aligned(artifact):
    model = unpack(flatbuffer_of(artifact))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    operators = model.subgraphs[0].operators
    kinds = Counter(names[model.operatorCodes[op.opcodeIndex].builtinCode] for op in operators)
    assert "CUSTOM" not in kinds
    # The context head flattens pixels; nothing else needs another order of axes.
    assert kinds["TRANSPOSE"] <= 4
    resizes = [op.builtinOptions for op in operators if hasattr(op.builtinOptions, "alignCorners")]
    assert len(resizes) == kinds["RESIZE_BILINEAR"] > 10
    assert all(resize.alignCorners and not resize.halfPixelCenters for resize in resizes)


def test_weights_are_aligned(artifact):
    flatbuffer = flatbuffer_of(artifact)
    model = schema.Model.GetRootAs(flatbuffer, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    address = np.frombuffer(flatbuffer, np.uint8).ctypes.data
    offsets = [b.DataAsNumpy().ctypes.data - address for b in buffers if b.DataLength()]
    assert len(offsets) > 100
    assert not any(offset % 16 for offset in offsets)


def test_a_stamp_replaces_the_old_one_and_keeps_everything_else(copy):
    before = unpack(flatbuffer_of(copy))
    inputs = {name: value.numpy() for name, value in example_inputs(SPEC, seed=4).items()}
    mask = open_runtime(copy).run(inputs)["mask"]
    tflite.stamp(copy, "new text ≤")
    assert metadata_text(flatbuffer_of(copy), METADATA_KEY, copy) == "new text ≤"
    after = unpack(flatbuffer_of(copy))
    assert [entry.name for entry in after.metadata] == [entry.name for entry in before.metadata]
    assert len(after.buffers) == len(before.buffers)
    tflite.stamp(copy, tiny_info(SPEC, "tflite").to_json())
    np.testing.assert_array_equal(open_runtime(copy).run(inputs)["mask"], mask)


def test_a_stamp_that_cannot_be_written_leaves_the_old_one(copy, monkeypatch):
    """Root may write anywhere, hence the simulated permission."""
    before = copy.read_bytes()
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    with pytest.raises(OutputFileError, match="cannot write"):
        tflite.stamp(copy, "new text")
    assert copy.read_bytes() == before
    assert list(copy.parent.iterdir()) == [copy]


def test_conversion_is_silent_and_leaves_nothing_behind(tmp_path):
    """In a process of its own; TensorFlow is never imported into it."""
    (tmp_path / "scratch").mkdir()
    code = """
import sys
from pathlib import Path
import torch
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.targets import tflite
from ritm_edge.export.tflite import worker
source = ExportInput(torch.nn.Sigmoid(), {"input": torch.zeros(1, 2, 5, 4)}, ("y",))
tflite.convert(source, Path("p.tflite"))
print("tensorflow" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path / "scratch")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert done.stderr == ""
    assert {p.name for p in tmp_path.iterdir()} == {"scratch", "p.tflite"}
    # torch makes a cache folder of its own when it is imported.
    left = {p.name for p in (tmp_path / "scratch").iterdir()}
    assert not {name for name in left if not name.startswith("torchinductor")}
    x = np.linspace(-3, 3, 40, dtype=np.float32).reshape(1, 2, 5, 4)
    y = run_tflite(tmp_path / "p.tflite", {"input": x})["y"]
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)), atol=1e-6)


class Unconvertible(nn.Module):
    """ONNX has this operation, TFLite has not."""

    def forward(self, x):
        return torch.linalg.det(x)


def test_a_failed_conversion_is_one_sentence_and_leaves_nothing(tmp_path, capfd):
    path = tmp_path / "p.tflite"
    with pytest.raises(ConversionError, match="MatrixDeterminant") as caught:
        tflite.convert(
            ExportInput(Unconvertible().eval(), {"x": torch.rand(2, 3, 3)}, ("y",)), path
        )
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_killed_converter_is_reported(tmp_path, monkeypatch):
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="loading\n")
    monkeypatch.setattr(process.subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(ConversionError, match="killed by signal 9"):
        tflite.convert(
            ExportInput(nn.Sigmoid(), {"input": torch.zeros(1, 2)}, ("y",)), tmp_path / "p.tflite"
        )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"antialias": 1}, "antialias=1"), ({"axes": [2, 3]}, "axes")],
    ids=["antialias", "axes"],
)
def test_what_older_onnx_cannot_say_is_refused(attributes, message):
    with pytest.raises(ConversionError, match=message):
        lower_opset(resize_model(**attributes))


def test_lowering_keeps_corner_alignment():
    model = resize_model(antialias=0, keep_aspect_ratio_policy="stretch")
    lower_opset(model)
    assert model.opset_import[0].version == 17
    attributes = {a.name: a.s for a in model.graph.node[0].attribute}
    assert attributes == {"mode": b"linear", "coordinate_transformation_mode": b"align_corners"}


@pytest.mark.parametrize("noop", [0, 1])
def test_lowering_keeps_the_axes_of_a_mean(noop):
    node = onnx.helper.make_node("ReduceMean", ["x", "axes"], ["y"], noop_with_empty_axes=noop)
    graph = onnx.helper.make_graph(
        [node],
        "mean",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2, 3, 4])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2, 1, 1])],
        [onnx.numpy_helper.from_array(np.int64([2, 3]), "axes")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    lower_opset(model)
    (lowered,) = model.graph.node
    assert {a.name: list(a.ints) for a in lowered.attribute} == {"axes": [2, 3]}


@pytest.mark.parametrize("axes", [False, True])
def test_lowering_takes_a_pad_of_all_axes_only(axes):
    node = onnx.helper.make_node("Pad", ["x", "pads", "", "axes"] if axes else ["x", "pads"], ["y"])
    constants = [onnx.numpy_helper.from_array(np.int64([0, 1]), "axes")] if axes else []
    pads = np.int64([0, 0, 0, 2] if axes else [0, 0, 0, 0, 0, 2, 0, 0])
    graph = onnx.helper.make_graph(
        [node],
        "pad",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2, 3, 4])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 3, 4])],
        [onnx.numpy_helper.from_array(pads, "pads"), *constants],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    if axes:
        with pytest.raises(ConversionError, match="axes"):
            lower_opset(model)
    else:
        lower_opset(model)
        assert model.opset_import[0].version == 17


def resize_model(**attributes):
    """Opset 18; doubles height and width."""
    node = onnx.helper.make_node(
        "Resize",
        ["x", "", "", "sizes"],
        ["y"],
        mode="linear",
        coordinate_transformation_mode="align_corners",
        **attributes,
    )
    sizes = np.int64([6, 8] if "axes" in attributes else [1, 2, 6, 8])
    graph = onnx.helper.make_graph(
        [node],
        "resize",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2, 3, 4])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2, 6, 8])],
        [onnx.numpy_helper.from_array(sizes, "sizes")],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])


@pytest.mark.parametrize(("release", "backend"), [("1.29.24", None), ("2.6.9", "tf_converter")])
def test_onnx2tf_never_uses_its_own_tflite_backend(tmp_path, monkeypatch, release, backend):
    """Version 2 does by default; its files convert without an error and are wrong."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 3, 4, 4))
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 3, 4, 4))
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    path = tmp_path / "graph.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [result])), path)
    given = {}

    def convert(**options):
        given.update(options)
        raise InterruptedError

    monkeypatch.setitem(sys.modules, "onnx2tf", SimpleNamespace(convert=convert))
    monkeypatch.setattr("ritm_edge.export.tflite.ops.replace_guessing_operations", lambda: None)
    monkeypatch.setattr(worker, "version", lambda _: release)
    with pytest.raises(InterruptedError):
        worker._convert(path)
    assert given.get("tflite_backend") == backend
