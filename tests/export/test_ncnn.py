"""What is special about ncnn: exact disks without comparisons, odd sizes, forged files."""

import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

ncnn = pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

from ritm_edge import build_model, open_runtime  # noqa: E402
from ritm_edge.artifacts.ncnn import NcnnFile, format_layers, parse_layers  # noqa: E402
from ritm_edge.errors import ArtifactError, ConversionError, MissingExtraError  # noqa: E402
from ritm_edge.export.arithmetic_trace import trace  # noqa: E402
from ritm_edge.export.export_input import ExportInput  # noqa: E402
from ritm_edge.export.pipeline import export_model  # noqa: E402
from ritm_edge.export.registry import find_target  # noqa: E402
from ritm_edge.export.rewrites import FOLD_AND_DROP, rewrite  # noqa: E402
from ritm_edge.export.targets.ncnn import convert  # noqa: E402
from ritm_edge.io_spec import IOSpec  # noqa: E402
from ritm_edge.model.clicks_encoding import disk_maps  # noqa: E402
from ritm_edge.model.export_graph import example_inputs  # noqa: E402
from ritm_edge.runtimes.ncnn import NcnnGraph  # noqa: E402

from ..models import tiny_model  # noqa: E402
from ..runtimes import tiny_info, tiny_reference  # noqa: E402
from .precision_graphs import PaintedGraph, awkward_clicks  # noqa: E402

SPEC = IOSpec(64, 96, max_clicks=3)
TARGET = find_target("ncnn")
EMPTY = {"image": np.zeros((1, 3, 64, 96)), "clicks": -np.ones((1, 6, 3))}


def convert_model(model, spec, path, *, rewrites=FOLD_AND_DROP, half_weights=False):
    graph, _ = rewrite(model, spec, rewrites)
    source = ExportInput(graph, example_inputs(spec), ("mask",))
    convert(source, path, half_weights=half_weights)
    return source


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("ncnn") / "tiny.ncnn"
    export_model(tiny_reference(), tiny_info(SPEC, "ncnn"), TARGET, path)
    return path


@pytest.mark.parametrize("half_weights", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("rewrites", [(), FOLD_AND_DROP], ids=["baseline", "rewritten"])
@pytest.mark.parametrize("size", [(75, 101), (1024, 1024)], ids=str)
def test_disks_are_bit_equal(size, rewrites, half_weights, tmp_path):
    """Observed inside of the artifact, where they meet the previous mask."""
    spec = IOSpec(*size, max_clicks=4)
    path = tmp_path / "m.ncnn"
    painted_graph = PaintedGraph()
    painted_graph.model, _ = rewrite(tiny_model(), spec, rewrites)
    source = ExportInput(painted_graph.eval(), example_inputs(spec), ("mask",))
    convert(source, path, half_weights=half_weights)
    file = NcnnFile.read(path)
    (disks,) = (
        layer.inputs[-1]
        for layer in parse_layers(file.graph.decode())
        if layer.kind == "Concat" and "prev_mask" in layer.inputs
    )
    graph = NcnnGraph(path, file, threads=1)
    painted = 0
    for clicks in awkward_clicks(*size, slots=4):
        ((_, found),) = graph.run({"clicks": clicks[0]}, [disks])
        expected = disk_maps(torch.from_numpy(clicks), height=size[0], width=size[1]).numpy()[0]
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
        painted += int(found.sum())
    assert painted > 200


@pytest.mark.parametrize("rewrites", [(), FOLD_AND_DROP], ids=["baseline", "rewritten"])
@pytest.mark.parametrize("size", [(75, 101), (96, 128)], ids=str)
def test_it_agrees_with_pytorch_at_even_and_odd_sizes(size, rewrites, tmp_path):
    """With a tenth of the tolerance, through `export` as users call it."""
    spec = IOSpec(*size, max_clicks=2)
    strict = replace(TARGET, tolerance=replace(TARGET.tolerance, atol=TARGET.tolerance.atol / 10))
    path = tmp_path / "m.ncnn"
    item = export_model(tiny_reference(), tiny_info(spec, "ncnn"), strict, path, rewrites=rewrites)
    assert item.parity.passed
    low, high = item.parity.reference_range
    assert low < 0.1 < 0.9 < high


@pytest.mark.parametrize(
    "config",
    [{"encoding": "distance", "radius": 260}, {"input_scheme": "dmf"}, {"input_scheme": "conv1e"}],
    ids=lambda config: next(iter(config.values())),
)
def test_other_inputs_and_encodings_convert(config, tmp_path, monkeypatch):
    from ritm_edge.model.ritm import HRNETS

    from ..models import TINY, spread_outputs

    monkeypatch.setitem(HRNETS, "hrnet18s", TINY)
    torch.manual_seed(0)
    model = build_model("hrnet18s", **config).eval()
    spread_outputs(model)
    path = tmp_path / "m.ncnn"
    source = convert_model(model, SPEC, path)
    arrays = {name: tensor[0].numpy() for name, tensor in source.example.items()}
    ((_, mask),) = NcnnGraph(path, NcnnFile.read(path)).run(arrays, ["mask"])
    with torch.no_grad():
        expected = source.graph(**source.example)[0].numpy()
    assert expected.max() - expected.min() > 0.5
    assert np.abs(mask - expected).max() < 1e-4


def test_half_precision_weights_halve_the_file(exported, tmp_path):
    half = tmp_path / "m.ncnn"
    convert_model(tiny_model(), SPEC, half, half_weights=True)
    assert 0.4 < half.stat().st_size / exported.stat().st_size < 0.6


def test_comparisons_become_numbers_of_the_same_value():
    class Comparisons(torch.nn.Module):
        def forward(self, x):
            return torch.where(x < 0, x * 0 + 7.0, x), (x <= 25.0).to(torch.float32)

    x = torch.tensor([-1e6, -1.0, -1e-30, -0.0, 0.0, 1e-30, 24.999998, 25.0, 25.000002, 1e12])
    module = Comparisons()
    program = trace(module, {"x": x})
    assert all(torch.equal(a, b) for a, b in zip(program(x), module(x), strict=True))
    operations = str(program.inlined_graph)
    assert "aten::ceil" in operations
    assert not any(f"aten::{name}(" in operations for name in ("lt", "le", "where"))


def test_nobody_is_called_and_nothing_of_the_downloads_is_loaded(exported):
    code = f"""
import socket, sys
def refuse(*_): raise SystemExit("somebody opened a connection")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from ritm_edge import open_runtime
import numpy as np
runtime = open_runtime({str(exported)!r}, threads=1)
mask = runtime.run({{"image": np.zeros((1, 3, 64, 96)), "clicks": -np.ones((1, 6, 3))}})["mask"]
print(mask.shape, "ncnn.model_zoo" in sys.modules, "requests" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == "(1, 1, 64, 96) False False\n"


def test_unzipped_it_is_what_ncnn_reads(exported, tmp_path):
    with zipfile.ZipFile(exported) as archive:
        archive.extractall(tmp_path)
    net = ncnn.Net()
    assert net.load_param(str(tmp_path / NcnnFile.GRAPH)) == 0
    assert net.load_model(str(tmp_path / NcnnFile.WEIGHTS)) == 0
    assert sorted(net.input_names()) == ["clicks", "image", "prev_mask"]
    assert net.output_names() == ["mask"]


def forge(source, path, **changes):
    file = replace(NcnnFile.read(source), **changes)
    file.write(path)
    NcnnFile.stamp(path, file.description)
    return path


@pytest.mark.parametrize("member", ["graph", "weights"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.98])
def test_a_member_cut_short_in_a_sound_zip_is_found(exported, member, keep, tmp_path):
    data = getattr(NcnnFile.read(exported), member)
    path = forge(exported, tmp_path / "m.ncnn", **{member: data[: int(keep * len(data))]})
    with pytest.raises(ArtifactError) as caught:
        open_runtime(path)
    assert "\n" not in str(caught.value)


def test_a_layer_that_ncnn_lacks_is_named(exported, tmp_path):
    known = NcnnFile.read(exported).graph
    graph = known.replace(b"Sigmoid ", b"torch.lt ")
    assert graph != known
    with pytest.raises(ArtifactError, match=r"needs torch\.lt, which"):
        open_runtime(forge(exported, tmp_path / "m.ncnn", graph=graph))


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("Convolution", "0", "1000000000"),
        ("Convolution", "6", "99999999999"),
        ("Convolution", "6", "-288"),
        ("Convolution", "1", "-1e9"),
        ("Interp", "3", "9" * 5000),
        ("Interp", "3", "nan"),
        ("Reshape", "0", "999999999"),
        ("Sigmoid", None, "Convolution1D"),
    ],
)
def test_what_the_exporter_does_not_write_is_not_given_to_ncnn(
    exported, tmp_path, kind, key, value
):
    layers = parse_layers(NcnnFile.read(exported).graph.decode())
    at = next(index for index, layer in enumerate(layers) if layer.kind == kind)
    if key is None:
        layers[at] = replace(layers[at], kind=value)
    else:
        layers[at] = replace(layers[at], settings={**layers[at].settings, key: value})
    path = forge(exported, tmp_path / "m.ncnn", graph=format_layers(layers).encode())
    with pytest.raises(ArtifactError, match="is not as ritm-edge export writes it"):
        open_runtime(path)


def test_a_mask_of_another_size_is_refused(exported, tmp_path):
    """The inputs' sizes are in the file; that of the mask shows when it runs."""
    layers = parse_layers(NcnnFile.read(exported).graph.decode())
    last = max(index for index, layer in enumerate(layers) if layer.kind == "Interp")
    layers[last] = replace(layers[last], settings={**layers[last].settings, "3": "32"})
    path = forge(exported, tmp_path / "m.ncnn", graph=format_layers(layers).encode())
    with pytest.raises(ArtifactError, match=r"float32 \[1, 1, 32, 96\] instead"):
        open_runtime(path).run(EMPTY)


class Unconvertible(torch.nn.Module):
    """TorchScript has this operation, ncnn has not."""

    def forward(self, x):
        return torch.linalg.det(x)


def test_a_failed_conversion_is_one_sentence_and_leaves_nothing(tmp_path):
    source = ExportInput(Unconvertible().eval(), {"x": torch.rand(2, 3, 3)}, ("y",))
    with pytest.raises(ConversionError) as caught:
        convert(source, tmp_path / "m.ncnn")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pnnx", None)
    with pytest.raises(MissingExtraError, match=r"pnnx.*ritm-edge\[ncnn\]"):
        convert_model(tiny_model(), SPEC, tmp_path / "m.ncnn")
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(MissingExtraError, match=r"ncnn.*ritm-edge\[ncnn\]"):
        open_runtime(exported)
