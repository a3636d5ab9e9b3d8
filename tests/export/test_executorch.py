"""What is special about ExecuTorch: damage, threads, exact disks, integers, the metadata method."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from torch import nn

pytest.importorskip("executorch", reason="ExecuTorch is not installed")

from executorch.exir._serialize._program import deserialize_pte_binary as deserialize

from ritm_edge import open_runtime
from ritm_edge.artifacts.executorch import ROOM, read_program
from ritm_edge.artifacts.info import METADATA_KEY, Precision
from ritm_edge.benchmarks.flops.convention import CONVOLUTION, PRODUCT, RESIZE
from ritm_edge.benchmarks.flops.executorch import CONVOLUTIONS, _read_graph, count_executorch
from ritm_edge.benchmarks.flops.onnx import count_onnx
from ritm_edge.benchmarks.flops.report import measure_artifact
from ritm_edge.errors import ArtifactError, ConversionError, UsageError
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.layer_names import KEEP_FLOAT, layer_of_weight
from ritm_edge.export.onnx.graph import onnx_graph
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.precision import PrecisionOptions
from ritm_edge.export.registry import find_target
from ritm_edge.export.rewrites import rewrite
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.executorch import ExecutorchGraph, _library
from ritm_edge.runtimes.executorch_light import PACKAGE, LightGraph
from ritm_edge.runtimes.pytorch import PytorchRuntime

from ..models import tiny_model
from ..runtimes import tiny_info
from .artifacts import copy_of, export_once
from .precision_graphs import PaintedGraph, awkward_clicks, random_inputs

TARGET = find_target("executorch")
SPEC = IOSpec(64, 96, max_clicks=3)
INPUTS = random_inputs(64, 96, 3, 1)[0]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A file of the small model."""
    return export_once(TARGET, tmp_path_factory).path


def refused(path):
    with pytest.raises(ArtifactError) as caught:
        open_runtime(path)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(str(path))
    assert message.endswith(".")
    return message


@pytest.fixture
def _no_native_code(monkeypatch):
    """Damage must be found before ExecuTorch sees the file."""

    def load(*_):
        raise AssertionError("the file reached ExecuTorch")

    monkeypatch.setattr(ExecutorchGraph, "__init__", load)


@pytest.mark.usefixtures("_no_native_code")
def test_no_damaged_byte_reaches_native_code(exported, tmp_path):
    """Bytes all over the file, every one of the head, and those around the description."""
    whole = exported.read_bytes()
    copy = copy_of(exported, tmp_path)
    start = whole.index(b'"content_sha256"')
    places = {*range(64), *range(start - 20, start + 110), *range(0, len(whole), 1009)}
    places |= {len(whole) - 1, *np.random.default_rng(0).integers(0, len(whole), 100).tolist()}
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        copy.write_bytes(damaged)
        refused(copy)


@pytest.mark.usefixtures("_no_native_code")
@pytest.mark.parametrize("length", [16, 4096])
@pytest.mark.parametrize("value", [0, 255, "random"])
def test_no_damaged_block_reaches_native_code(exported, tmp_path, length, value):
    whole = exported.read_bytes()
    copy = copy_of(exported, tmp_path)
    rng = np.random.default_rng(length)
    for place in rng.integers(0, len(whole) - length, 20).tolist():
        block = rng.bytes(length) if value == "random" else bytes([value]) * length
        damaged = whole[:place] + block + whole[place + length :]
        if damaged != whole:  # there are zeros between the parts of a file
            copy.write_bytes(damaged)
            refused(copy)


@pytest.mark.usefixtures("_no_native_code")
def test_no_file_of_another_length_reaches_native_code(exported, tmp_path):
    whole = exported.read_bytes()
    copy = copy_of(exported, tmp_path)
    lengths = {0, 1, 7, 8, 64, ROOM, len(whole) // 2, len(whole) - 4096, len(whole) - 1}
    for length in lengths:
        copy.write_bytes(whole[:length])
        refused(copy)
    for more in (b"\0", whole, whole[:ROOM]):
        copy.write_bytes(whole + more)
        refused(copy)


@pytest.mark.usefixtures("_no_native_code")
def test_files_of_others_are_refused_before_native_code(tmp_path):
    """Without a description, and of formats that only have the same suffix."""
    example = (torch.rand(1, 3),)
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(torch.nn.Linear(3, 2), example)
    path = tmp_path / "theirs.pte"
    path.write_bytes(to_edge_transform_and_lower(program).to_executorch().buffer)
    assert "no description" in refused(path)
    for content in (b"", b"PK\3\4" + bytes(100), b"\x1c\0\0\0TFL3" + bytes(100)):
        path.write_bytes(content)
        assert "no ET12 mark" in refused(path)


def test_a_description_that_is_too_long_is_no_half_written_file(exported, tmp_path):
    copy = copy_of(exported, tmp_path)
    with pytest.raises(ConversionError, match="has room for"):
        TARGET.stamp(copy, " " * (ROOM + 1))
    assert copy.read_bytes() == exported.read_bytes()
    assert list(tmp_path.iterdir()) == [copy]


def test_any_executorch_finds_the_description_by_the_name_of_its_method(exported):
    from executorch.runtime import Runtime

    content, text = read_program(exported)
    program = Runtime.get().load_program(content)
    assert program.method_names == {"forward", METADATA_KEY}
    assert program.load_method(METADATA_KEY).execute([]) == [text]
    assert open_runtime(exported).info.target == "executorch"


def test_what_the_engine_cannot_load_is_one_sentence(exported, tmp_path, capfd):
    """With a description and a checksum, but a program that ends too early."""
    copy = copy_of(exported, tmp_path)
    info = open_runtime(copy).info
    copy.write_bytes(copy.read_bytes()[: ROOM * 3])
    TARGET.stamp(copy, info.to_json())
    capfd.readouterr()
    assert "cannot be loaded by ExecuTorch" in refused(copy)
    assert capfd.readouterr() == ("", "")


def test_threads_change_between_files_without_changing_masks(exported):
    """The pool of threads is the process's, and a graph that was loaded before points into it."""
    runtimes = [open_runtime(exported, threads=threads) for threads in (1, 2, None, 3)]
    library, chosen = _library()
    expected = runtimes[0].run(INPUTS)["mask"]
    for runtime, threads in [*zip(runtimes, (1, 2, chosen, 3), strict=True)] * 2:
        np.testing.assert_array_equal(runtime.run(INPUTS)["mask"], expected)
        assert library._threadpool_get_thread_count() == threads


def test_a_mask_stays_as_it_is_when_the_next_one_is_computed(exported):
    runtime = open_runtime(exported)
    first = runtime.run(INPUTS)["mask"]
    kept = first.copy()
    runtime.run({**INPUTS, "image": 255 - INPUTS["image"]})
    np.testing.assert_array_equal(first, kept)


def test_nothing_is_written_and_no_connection_is_made(exported):
    code = f"""
import socket
from pathlib import Path
def refuse(*_): raise SystemExit("somebody opened a connection")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from ritm_edge import open_runtime
import numpy as np
runtime = open_runtime({str(exported)!r}, threads=1)
mask = runtime.run({{"image": np.zeros((1, 3, 64, 96)), "clicks": -np.ones((1, 6, 3))}})["mask"]
print(mask.shape)
from ritm_edge.benchmarks.flops.executorch import count_executorch
print(count_executorch(Path({str(exported)!r})).macs > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("(1, 1, 64, 96)\nTrue\n", "")


def test_the_light_runtime_computes_the_same_mask(exported):
    pytest.importorskip(PACKAGE, reason="executorch-numpy-runtime needs Python 3.12 or newer")
    light = LightGraph(exported, exported.read_bytes())
    runtime = open_runtime(exported)
    graph = runtime._graph
    assert (light.inputs, light.outputs) == (graph.inputs, graph.outputs)
    arrays = [INPUTS[name] for name in runtime.spec.input_names]
    np.testing.assert_array_equal(light.run(arrays)[0], graph.run(arrays)[0])


@pytest.fixture
def light(monkeypatch):
    """A stand-in for the light runtime where ExecuTorch is not installed; it loads nothing."""

    class Refusal(Exception):
        pass

    class Runtime:
        @staticmethod
        def get():
            raise Refusal("a wrong version\nin the file")

    module = ModuleType(PACKAGE)
    module.__spec__ = ModuleSpec(PACKAGE, None)
    vars(module).update(ExecuTorchError=Refusal, Runtime=Runtime)
    monkeypatch.setitem(sys.modules, "executorch", None)
    monkeypatch.setitem(sys.modules, PACKAGE, module)


@pytest.mark.usefixtures("light")
def test_what_the_light_runtime_refuses_is_one_sentence(exported):
    assert "cannot be loaded by executorch-numpy-runtime (a wrong version)" in refused(exported)
    with pytest.raises(UsageError, match=r"does not take a number of threads \(2\)"):
        open_runtime(exported, threads=2)


class WithDisks(PaintedGraph):
    """Its click maps are a second output."""

    def forward(self, image, clicks, prev_mask):
        return super().forward(image, clicks, prev_mask), self.encode_clicks(
            clicks, *image.shape[2:]
        )


@pytest.mark.parametrize(("precision", "size"), [("fp32", (75, 101)), ("int8", (256, 256))])
def test_disks_are_bit_equal(precision, size, tmp_path):
    path = tmp_path / "m.pte"
    example = example_inputs(IOSpec(*size, max_clicks=4))
    source = ExportInput(
        WithDisks().eval(), example, ("mask", "maps"), calibration=random_inputs(*size, 4, 2)
    )
    (TARGET if precision == "fp32" else TARGET.precisions[precision]).convert(source, path)
    graph = ExecutorchGraph(path, read_program(path, allow_changed=True)[0], threads=1)
    inputs = random_inputs(*size, 4, 1)[0]
    painted = 0
    for clicks in awkward_clicks(*size, slots=4):
        _, disks = graph.run([inputs["image"], clicks, inputs["prev_mask"]])
        expected = source.graph.model.encode_clicks(torch.from_numpy(clicks), *size).numpy()
        assert disks.tobytes() == expected.tobytes()
        painted += int(disks.sum())
    assert painted > 200


def kinds_of_weights(path):
    """Type of the weights of each convolution in the file."""
    content, _ = read_program(path, allow_changed=True)
    found = []
    for delegate in deserialize(content).program.backend_delegate_data:
        graph = _read_graph(bytes(delegate.data))
        tensors = [each["xvalue_union"] for each in graph["xvalues"]]
        tensors = [each.get("tensor_value", each) for each in tensors]
        types = {tensor["id_out"]: tensor["datatype"] for tensor in tensors}
        found += [
            types[each["xnode_union"]["filter_id"]]
            for each in graph["xnodes"]
            if each["xnode_union_type"] in CONVOLUTIONS
        ]
    return Counter(found)


@pytest.mark.parametrize("kept", [(), ("head",)])
def test_all_convolutions_but_the_named_ones_compute_in_integers(kept, tmp_path):
    spec = IOSpec(64, 96, max_clicks=1)
    source = ExportInput(
        PaintedGraph().eval(), example_inputs(spec), ("mask",), keep_float=kept,
        calibration=random_inputs(64, 96, 1, 2),
    )  # fmt: skip
    TARGET.precisions["int8"].convert(source, tmp_path / "m.pte")
    expected = Counter({"xnn_datatype_qcint8": 2 - len(kept), "xnn_datatype_fp32": len(kept)})
    assert kinds_of_weights(tmp_path / "m.pte") == +expected


def test_an_unknown_layer_is_named_and_nothing_is_left(tmp_path):
    source = ExportInput(
        PaintedGraph().eval(), example_inputs(SPEC), ("mask",), keep_float=("nonsense",)
    )
    with pytest.raises(UsageError, match="no layer is called nonsense"):
        TARGET.precisions["int8"].convert(source, tmp_path / "m.pte")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("brief_calibration")
def test_int8_end_to_end(tmp_path):
    """Weights of noise lose more than trained ones; all but the sensitive layers are integers."""
    info = replace(tiny_info(SPEC, TARGET.name), precision=Precision.INT8)
    reference = PytorchRuntime(tiny_model(lite=True), Path("tiny.pth"))
    path = tmp_path / "tiny.pte"
    options = PrecisionOptions(samples=sample_objects()[:1], accept_loss=True)
    item = export_model(reference, info, TARGET, path, options=options)
    assert item.task is not None
    stamped = open_runtime(path).info
    assert stamped.precision == "int8"
    assert stamped.half_precision is None
    assert stamped.parity["passed"] is item.task.passed
    assert stamped.reduction["calibration"] == "sample photo, augmented"
    assert stamped.reduction["kept_float"] == list(KEEP_FLOAT)
    names = [n for n, each in reference.model.named_modules() if isinstance(each, nn.Conv2d)]
    kept = sum(layer_of_weight(name).startswith(KEEP_FLOAT) for name in names)
    assert 0 < kept < len(names) / 2
    kinds = kinds_of_weights(path)
    assert kinds.keys() == {"xnn_datatype_qcint8", "xnn_datatype_fp32"}
    assert kinds["xnn_datatype_fp32"] == kept
    assert kinds["xnn_datatype_qcint8"] > 2 * kept


def test_flops_are_those_of_the_same_graph_in_onnx(exported):
    graph, _ = rewrite(tiny_model(), SPEC, TARGET.rewrites)
    model = onnx_graph(ExportInput(graph, example_inputs(SPEC), ("mask",)))
    path = exported.with_name("counted.onnx")
    onnx.save(model, path)
    expected, found = count_onnx(path, INPUTS), count_executorch(exported)
    path.unlink()
    for kind in (CONVOLUTION, PRODUCT, RESIZE):
        assert found.kinds[kind].macs == expected.kinds[kind].macs, kind
        assert found.kinds[kind].flops == expected.kinds[kind].flops, kind
    assert found.macs == expected.macs
    assert found.flops == pytest.approx(expected.flops, rel=1e-4)
    # Constants of means, which ONNX multiplies by, belong to the program, not to XNNPACK's graph.
    assert 0.995 < found.parameters / expected.parameters <= 1
    (row,) = measure_artifact(exported)
    assert (row["runtime"], row["flops"]) == ("executorch", found.flops)


class Unconvertible(nn.Module):
    def forward(self, x):
        return x[: int(x.sum())]


def test_a_failed_conversion_is_one_sentence_and_leaves_nothing(tmp_path):
    source = ExportInput(Unconvertible().eval(), {"x": torch.rand(3)}, ("y",))
    with pytest.raises(ConversionError, match="ExecuTorch could not convert") as caught:
        TARGET.convert(source, tmp_path / "m.pte")
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []
