"""What is special about OpenVINO: silence towards its maker, exact disks, the zip."""

import subprocess
import sys
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
import torch

# Not importorskip: importing it here would let its telemetry in.
if find_spec("openvino") is None:
    pytest.skip("the openvino extra is not installed", allow_module_level=True)

from ritm_edge import open_runtime
from ritm_edge.artifacts.openvino import OpenVinoFile
from ritm_edge.errors import ArtifactError, ConversionError
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.registry import find_target
from ritm_edge.export.targets import openvino
from ritm_edge.io_spec import CLICKS, IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.openvino import import_openvino

from ..runtimes import tiny_info
from .precision_graphs import PaintedGraph, awkward_clicks, random_inputs

SPEC = IOSpec(64, 96, max_clicks=3)


def convert(precision, spec, path):
    target = find_target("openvino")
    graph, example = PaintedGraph().eval(), example_inputs(spec)
    if precision == "fp32":
        target.convert(ExportInput(graph, example, ("mask",)), path)
    else:
        calibration = random_inputs(*spec.size, spec.max_clicks, 4)
        source = ExportInput(graph, example, ("mask",), calibration=calibration)
        target.precisions[precision].convert(source, path)
    return path


def click_maps(model, size):
    """The last values in the shape of the maps that depend on the clicks alone."""
    clean, found = {}, []
    for operation in model.get_ordered_ops():
        sources = [value.get_source_output().get_node() for value in operation.inputs()]
        name = operation.get_friendly_name()
        if operation.get_type_name() == "Parameter":
            clean[name] = operation.output(0).any_name == CLICKS
        else:
            clean[name] = all(clean[source.get_friendly_name()] for source in sources)
        if not (sources and clean[name]):
            continue
        for port in operation.outputs():
            is_float = port.get_element_type().get_type_name() == "f32"
            if is_float and port.partial_shape.is_static and tuple(port.shape) == (1, 2, *size):
                found.append(port)
    return found[-1]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("size", [(75, 101), (1024, 1024)], ids=str)
def test_disks_are_bit_equal(precision, size, tmp_path):
    """Observed inside of the artifact while the whole of it runs."""
    spec = IOSpec(*size, max_clicks=4)
    file = OpenVinoFile.read(convert(precision, spec, tmp_path / "m.openvino"))
    core = import_openvino().Core()
    model = core.read_model(file.graph, file.weights)
    model.add_outputs([click_maps(model, size)])
    request = core.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    ).create_infer_request()
    inputs = random_inputs(*size, 4, 1)[0]
    painted = 0
    for clicks in awkward_clicks(*size, slots=4):
        disks = request.infer({**inputs, "clicks": clicks})[1]
        expected = PaintedGraph().model.encode_clicks(torch.from_numpy(clicks), *size).numpy()
        assert disks.dtype == np.float32
        assert disks.tobytes() == expected.tobytes()
        painted += int(disks.sum())
    assert painted > 200


def test_nothing_is_reported_to_anyone(tmp_path):
    """The package tells its maker when it is imported and when it converts; ours must not."""
    path = convert("fp32", SPEC, tmp_path / "m.openvino")
    OpenVinoFile.stamp(path, tiny_info(SPEC, "openvino").to_json())
    code = f"""
import socket, sys
def refuse(*_): raise SystemExit("somebody opened a connection")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from ritm_edge import open_runtime
import numpy as np
runtime = open_runtime({str(path)!r}, threads=1)
mask = runtime.run({{"image": np.zeros((1, 3, 64, 96)), "clicks": -np.ones((1, 6, 3))}})["mask"]
print(mask.shape, sys.modules["openvino_telemetry"])
print(sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split("\n")[0] == "(1, 1, 64, 96) None"
    assert done.stdout.split("\n")[1].endswith("telemetry_stub")


def test_unzipped_it_is_what_openvino_reads(tmp_path):
    path = convert("fp16", SPEC, tmp_path / "m.openvino")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    model = import_openvino().Core().read_model(tmp_path / OpenVinoFile.GRAPH)
    assert [port.any_name for port in model.inputs] == ["image", "clicks", "prev_mask"]


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    path = convert("fp32", SPEC, tmp_path / "m.openvino")
    monkeypatch.setattr("ritm_edge.artifacts.zipped.MAX_BYTES", 1000)
    with pytest.raises(ArtifactError, match="unpacks to over"):
        open_runtime(path)


class Unconvertible(torch.nn.Module):
    """ONNX has this operation, OpenVINO has not."""

    def forward(self, x):
        return torch.linalg.det(x)


def test_a_failed_conversion_is_one_sentence_and_leaves_nothing(tmp_path):
    path = tmp_path / "m.openvino"
    with pytest.raises(ConversionError, match="OpenVINO could not read") as caught:
        openvino.convert(
            ExportInput(Unconvertible().eval(), {"x": torch.rand(2, 3, 3)}, ("y",)), path
        )
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
