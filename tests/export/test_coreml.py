"""What is special about Core ML: the evaluator, model variants, exact disks, macOS, silence.

Core ML itself exists only on macOS. There `CoreMLRuntime` calls coremltools' predict; here only the
wiring of that branch is tested, with a stand-in, and everything else runs in the evaluator.
"""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ritm_edge import open_runtime
from ritm_edge.artifacts.info import METADATA_KEY
from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.clicks import pack_clicks
from ritm_edge.errors import ArtifactError, ConversionError, OutputFileError
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.rewrites.graph import RewritableGraph
from ritm_edge.export.targets import coreml
from ritm_edge.io_spec import CLICKS, IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.model.ritm import ModelConfig, RitmModel
from ritm_edge.runtimes import coreml as runtime_module
from ritm_edge.runtimes.base import ModelFile
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.verification.parity import FP32_TOLERANCE, click_sets, compare, parity_cases

from ..golden_files import formula_model
from ..graphs import ClickMaps, open_program, operations
from ..models import TINY, spread_outputs, tiny_model
from ..runtimes import tiny_info

SPEC = IOSpec(64, 96, max_clicks=3)
ODD = IOSpec(75, 101, max_clicks=2)


def convert(model, spec, path):
    coreml.convert(ExportInput(RewritableGraph(model), example_inputs(spec), ("mask",)), path)
    coreml.stamp(path, tiny_info(spec, "coreml").to_json())
    return path


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return convert(tiny_model(), SPEC, tmp_path_factory.mktemp("coreml") / "tiny.mlpackage")


@pytest.fixture
def copy(artifact, tmp_path):
    return shutil.copytree(artifact, tmp_path / "copy.mlpackage")


@pytest.mark.parametrize(
    "config",
    [
        {"input_scheme": "conv1e", "leaky_relu": False},
        {"input_scheme": "dmf"},
        {"encoding": "distance", "radius": 260},
    ],
    ids=lambda config: " ".join(str(value) for value in config.values()),
)
def test_every_variant_agrees_with_pytorch_at_an_odd_size(config, tmp_path):
    torch.manual_seed(0)
    model = RitmModel(ModelConfig("hrnet18s", **config), TINY).eval()
    spread_outputs(model)
    spec = IOSpec(ODD.height, ODD.width, ODD.max_clicks, prev_mask=model.config.prev_mask)
    runtime = open_runtime(convert(model, spec, tmp_path / "v.mlpackage"))
    report = compare(
        runtime, PytorchRuntime(model, tmp_path / "v.pth"), parity_cases(spec), FP32_TOLERANCE
    )
    report.require_passed()


def awkward_clicks(height, width, slots):
    """The sets that verification uses, and fractions that put pixels exactly on a disk's edge."""
    rng = np.random.default_rng(3)
    yield from click_sets(height, width, slots=slots, rng=rng).values()
    for _ in range(20):
        array = np.full((1, 2 * slots, 3), -1.0, np.float32)
        count = int(rng.integers(1, 2 * slots + 1))
        array[0, :count, :2] = rng.uniform(-8, (height + 8, width + 8), (count, 2))
        # Quarters and halves make exact squares: distances of exactly 25 occur.
        array[0, : count // 2, :2] = np.round(array[0, : count // 2, :2] * 4) / 4
        array[0, :count, 2] = np.arange(count)
        yield array


@pytest.mark.parametrize(("height", "width", "slots"), [(64, 96, 24), (75, 101, 3)])
def test_disk_maps_are_bit_equal(height, width, slots, tmp_path):
    graph = ClickMaps(RewritableGraph(tiny_model()), height, width)
    path = tmp_path / "disks.mlpackage"
    example = {CLICKS: example_inputs(IOSpec(height, width, slots))[CLICKS]}
    coreml.convert(ExportInput(graph, example, ("disks",)), path)
    program = open_program(path)
    painted = 0
    for clicks in awkward_clicks(height, width, slots):
        array = clicks
        if isinstance(clicks, list):
            array = pack_clicks(clicks, max_clicks=slots).astype(np.float32)
        disks = program.run({CLICKS: array})["disks"]
        expected = graph(torch.from_numpy(array)).numpy()
        assert disks.dtype == np.float32
        assert disks.tobytes() == expected.tobytes()
        painted += int(disks.sum())
    assert painted > 1000


def test_everything_in_the_program_is_fp32(artifact):
    """An fp16 cast inside would pass most parity cases and still not be the model."""
    compiled = open_program(artifact)._compiled
    types = {step.declared.dtype for step in compiled.steps}
    assert types == {"fp32", "bool"}
    assert {weight.dtype for weight in compiled.weights.values()} == {torch.float32}


def test_the_package_holds_nothing_but_the_model_with_usual_permissions(artifact):
    files = {str(p.relative_to(artifact)) for p in artifact.rglob("*") if p.is_file()}
    inside = "Data/com.apple.CoreML"
    expected = {"Manifest.json", f"{inside}/model.mlmodel", f"{inside}/weights/weight.bin"}
    assert files == expected
    fresh = artifact.parent / "fresh"
    fresh.touch()
    modes = {p.stat().st_mode & 0o777 for p in artifact.rglob("*") if p.is_file()}
    assert modes == {fresh.stat().st_mode & 0o777}


def test_a_stamp_replaces_the_old_one_and_keeps_everything_else(copy):
    before = dict(open_package(copy).metadata)
    inputs = {name: value.numpy() for name, value in example_inputs(SPEC, seed=4).items()}
    mask = open_runtime(copy).run(inputs)["mask"]
    coreml.stamp(copy, "new text ≤")
    after = dict(open_package(copy).metadata)
    assert after.pop(METADATA_KEY) == "new text ≤"
    assert before.pop(METADATA_KEY) != "new text ≤"
    assert after == before
    coreml.stamp(copy, tiny_info(SPEC, "coreml").to_json())
    np.testing.assert_array_equal(open_runtime(copy).run(inputs)["mask"], mask)


def test_a_stamp_that_cannot_be_written_leaves_the_old_one(copy, monkeypatch):
    """Root may write anywhere, hence the simulated permission."""
    before = (copy / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputFileError, match="cannot write"):
        coreml.stamp(copy, "new text")
    assert (copy / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes() == before
    assert len(list(copy.rglob("*"))) == 6


def test_opening_and_running_is_silent(artifact):
    """In a process of its own, where coremltools is imported for the first time."""
    code = f"""
import sys
from ritm_edge import open_runtime
import numpy as np
assert "coremltools" not in sys.modules
runtime = open_runtime({str(artifact)!r}, threads=1)
mask = runtime.run({{"image": np.zeros((1, 3, 64, 96)), "clicks": -np.ones((1, 6, 3))}})["mask"]
print(runtime.engine, mask.shape, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "reference evaluator (1, 1, 64, 96) False"
    assert done.stderr == ""


@pytest.mark.parametrize("missing", ["coremltools", "torch"])
def test_without_a_library_the_message_names_the_extra(artifact, missing):
    extra = {"coremltools": "coreml"}.get(missing, missing)
    code = f"""
import sys
sys.modules[{missing!r}] = None
from ritm_edge import open_runtime
from ritm_edge.errors import MissingExtraError
try:
    open_runtime({str(artifact)!r})
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(missing)
    assert "is needed and not installed" in done.stdout
    assert f"ritm-edge[{extra}]" in done.stdout
    assert done.stdout.count("\n") == 1


def test_conversion_is_silent(tmp_path):
    """In a process of its own, where coremltools is imported for the first time."""
    code = f"""
from pathlib import Path
import torch
from ritm_edge.export.export_input import ExportInput
from ritm_edge.export.targets import coreml
path = Path({str(tmp_path)!r}) / "p.mlpackage"
coreml.convert(ExportInput(torch.nn.Sigmoid(), {{"input": torch.zeros(1, 2)}}, ("y",)), path)
import sys
print("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert done.stderr == ""
    x = np.array([[-1.5, 2.0]], np.float32)
    y = open_program(tmp_path / "p.mlpackage").run({"input": x})["y"]
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)), atol=1e-7)


class Unconvertible(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x)


def test_a_failed_conversion_is_one_sentence_and_leaves_nothing(tmp_path, capfd):
    path = tmp_path / "p.mlpackage"
    with pytest.raises(ConversionError, match="coremltools could not convert") as caught:
        coreml.convert(ExportInput(Unconvertible().eval(), {"x": torch.rand(3, 3)}, ("y",)), path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


class FakeModel:
    """Stands for coremltools' MLModel: records what it is asked."""

    def __init__(self, path, compute_units):
        self.opened = path, compute_units

    def predict(self, inputs):
        self.inputs = inputs
        return {"mask": np.full((1, 1, 64, 96), 0.25)}


def test_on_macos_core_ml_predicts(artifact, monkeypatch):
    """Only the wiring: which engine is chosen, what it is given, what comes back."""
    models = []

    def load(*args, **options):
        models.append(FakeModel(*args, **options))
        return models[-1]

    fake = SimpleNamespace(
        models=SimpleNamespace(MLModel=load), ComputeUnit=SimpleNamespace(CPU_ONLY="cpu")
    )
    monkeypatch.setattr(runtime_module.sys, "platform", "darwin")
    monkeypatch.setattr(runtime_module, "require", lambda *_, **__: fake)
    runtime = runtime_module.CoreMLRuntime(ModelFile(artifact))
    assert runtime.engine == "Core ML"
    mask = runtime.run({"image": np.zeros((1, 3, 64, 96), np.uint8), "clicks": np.ones((1, 6, 3))})
    assert mask["mask"].dtype == np.float32
    assert models[0].opened == (str(artifact), "cpu")
    assert {name: a.dtype for name, a in models[0].inputs.items()} == dict.fromkeys(
        ("image", "clicks", "prev_mask"), np.dtype(np.float32)
    )

    def broken(*_, **__):
        raise RuntimeError("compiler error\nwith lines")

    fake.models.MLModel = broken
    with pytest.raises(ArtifactError, match="Core ML cannot load"):
        runtime_module.CoreMLRuntime(ModelFile(artifact))


def test_a_program_without_description_is_refused(tmp_path):
    path = tmp_path / "p.mlpackage"
    coreml.convert(ExportInput(nn.Sigmoid(), {"input": torch.zeros(1, 2)}, ("y",)), path)
    with pytest.raises(ArtifactError, match="does not describe itself"):
        open_runtime(path)


def test_a_description_of_a_graph_of_any_size_is_refused(copy):
    coreml.stamp(copy, tiny_info(IOSpec(max_clicks=3), "coreml").to_json())
    with pytest.raises(ArtifactError, match=r"describes the inputs .*None, None"):
        open_runtime(copy)


def test_the_real_hrnet18s_agrees_with_pytorch(tmp_path):
    model = formula_model("h18s")
    spec = IOSpec(320, 480)
    runtime = open_runtime(convert(model, spec, tmp_path / "h18s.mlpackage"))
    wanted = {"one positive", "outside", "previous mask"}
    cases = (case for case in parity_cases(spec) if case.name in wanted)
    report = compare(runtime, PytorchRuntime(model, tmp_path / "x.pth"), cases, FP32_TOLERANCE)
    report.require_passed()
    assert len(report.cases) == 3
    found = operations(open_program(runtime.path))
    assert found["conv"] == 157
    assert len(found) == 22
