"""Timing: the arithmetic alone, and whole measurements of a small network in real processes."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ritm_edge.benchmarks import machine
from ritm_edge.benchmarks.latency import timing as latency
from ritm_edge.benchmarks.latency.ratios import paired_ratios
from ritm_edge.benchmarks.latency.timing import (
    LatencyReport,
    LatencyRow,
    LatencySettings,
    common_size,
    measure,
    step_count,
)
from ritm_edge.cli import bench
from ritm_edge.errors import (
    CheckpointError,
    InputFileError,
    OutputFileError,
    RitmEdgeError,
    UsageError,
)
from ritm_edge.files import size_in_bytes
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.checkpoint import save_checkpoint
from ritm_edge.model.ritm import build_model

from ..runtimes import tiny_info

QUICK = LatencySettings(runs=3, warmup=1, cold_starts=1, threads=1, size=(32, 48))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.pth"
    save_checkpoint(build_model("hrnet18s").eval(), path)
    return path


def make_row(**changes: object) -> LatencyRow:
    values: dict[str, object] = {
        "path": "a.onnx",
        "runtime": "onnx",
        "engine": None,
        "baseline": False,
        "samples_ms": (10.0, 30.0, 20.0),
        "ratios": (0.5, 0.6, 4.0),
        "cold_starts_ms": (300.0, 100.0, 200.0),
        "peak_memory_bytes": 5_000_000,
        "idle_memory_bytes": 1_000_000,
        "file_bytes": 2_000_000,
    }
    return LatencyRow(**{**values, **changes})


def invoke(*arguments: str | Path):
    return CliRunner().invoke(bench.app, ["latency", *(str(a) for a in arguments)])


def fails(kind: type[RitmEdgeError], *arguments: str | Path) -> str:
    result = invoke(*arguments)
    assert type(result.exception) is kind, result.exception or result.output
    return str(result.exception)


def test_statistics_of_a_row():
    row = make_row(samples_ms=tuple(float(v) for v in range(1, 12)))
    assert row.median_ms == 6
    assert row.p90_ms == 10
    assert row.ratio == 0.6  # the median of the rounds, not the ratio of medians
    assert row.cold_start_ms == 200
    assert make_row(ratios=None).ratio is None


def test_ratios_are_taken_round_by_round():
    # A slow minute hits both in round 2: the ratio does not see it.
    assert paired_ratios((2.0, 20.0, 2.0), (4.0, 40.0, 4.0)) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError):
        paired_ratios((1.0,), (1.0, 2.0))


def test_one_size_for_all():
    a, b, free = (Path("a"), IOSpec(64, 96)), (Path("b"), IOSpec(32, 96)), (Path("c"), IOSpec())
    assert common_size([free], None) == (400, 400)
    assert common_size([free], (48, 64)) == (48, 64)
    assert common_size([free, a], None) == (64, 96)
    assert common_size([a, free], (64, 96)) == (64, 96)
    with pytest.raises(UsageError, match=r"a takes 64x96, b takes 32x96"):
        common_size([a, b, free], None)
    with pytest.raises(UsageError, match="48x64"):
        common_size([a], (48, 64))


@pytest.mark.parametrize(
    "values", [{"runs": 0}, {"warmup": -1}, {"cold_starts": 0}, {"size": (8, 8)}]
)
def test_settings_out_of_range(values):
    with pytest.raises(UsageError):
        LatencySettings(**values)


def test_file_sizes(tmp_path):
    (tmp_path / "model.mlpackage" / "Data").mkdir(parents=True)
    (tmp_path / "model.mlpackage" / "Manifest.json").write_bytes(b"12345")
    (tmp_path / "model.mlpackage" / "Data" / "weight.bin").write_bytes(bytes(1000))
    assert size_in_bytes(tmp_path / "model.mlpackage") == 1005
    assert size_in_bytes(tmp_path / "model.mlpackage" / "Manifest.json") == 5


def test_machine_description():
    values = machine.describe_machine()
    assert values["cores"] >= values["usable_cores"] >= 1
    assert json.loads(json.dumps(values)) == values
    assert machine.describe_versions()["torch"]


def test_rounds_are_interleaved_and_warm_up_is_apart(monkeypatch, tmp_path):
    calls: list[tuple[str, int]] = []

    class FakeWorker:
        def __init__(self, file, device=None):
            assert device is None
            self.path = file.path
            self.name, self.engine, self.spec, self.sha256 = "fake", None, IOSpec(), "ab"
            rewrites = {"a": (), "b": ("a pass",)}[file.path.name]
            self.info = replace(tiny_info(self.spec, "fake"), rewrites=rewrites)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            calls.append((self.path.name, -2))

        def memory(self):
            return 7

        def open(self):
            calls.append((self.path.name, -1))
            return 100.0

        def time(self, size, *, seed, index):
            assert (size, seed) == ((32, 48), 5)
            calls.append((self.path.name, index))
            return {"a": 10.0, "b": 5.0}[self.path.name] * (index + 1)

    monkeypatch.setattr(latency, "RemoteRuntime", FakeWorker)
    monkeypatch.setattr(latency, "PAUSE_S", 0)
    for name in "ab":
        (tmp_path / name).write_bytes(b"x")
    settings = LatencySettings(runs=3, warmup=2, cold_starts=2, size=(32, 48), seed=5)
    steps: list[str] = []

    result = measure(
        [tmp_path / "b"], baseline=tmp_path / "a", settings=settings, report=steps.append
    )

    text = " ".join(f"{name}{index}" for name, index in calls)
    cold = "b-1 a-1 a0 b0 a-1 a0 a-2 b-1 b0 b-2"  # the second cold start in a process of its own
    assert text == f"{cold} a1 b1 a2 b2 a3 b3 a4 b4 a5 b5 a-2 b-2"
    assert len(steps) == step_count(2, settings)
    pytorch, artifact = result.rows
    assert (pytorch.baseline, artifact.baseline) == (True, False)
    assert artifact.samples_ms == (20.0, 25.0, 30.0)
    assert artifact.ratios == (0.5, 0.5, 0.5)
    assert (pytorch.ratio_to_baseline, artifact.ratio_to_baseline) == (None, 0.5)
    assert pytorch.cold_starts_ms == (110.0, 110.0)


def test_a_measurement_in_real_processes(checkpoint, tmp_path):
    copy = tmp_path / "copy.pth"
    copy.write_bytes(checkpoint.read_bytes())

    report = measure([copy], baseline=checkpoint, settings=QUICK)

    pytorch, other = report.rows
    assert [row.path for row in report.rows] == [checkpoint.name, copy.name]
    for row in report.rows:
        assert row.runtime == "pytorch"
        assert len(row.samples_ms) == 3
        assert min(row.samples_ms) > 0.5  # a network of 4 million parameters, 32x48 pixels
        assert row.cold_start_ms > max(row.samples_ms)
        # Python with NumPy alone, then PyTorch and the weights on top of it.
        assert row.idle_memory_bytes < row.peak_memory_bytes - 2 * row.file_bytes
        assert row.file_bytes == checkpoint.stat().st_size
    assert pytorch.ratio == 1
    assert other.ratios == paired_ratios(other.samples_ms, pytorch.samples_ms)
    assert 0.2 < other.ratio < 5  # the same network
    assert json.loads(json.dumps(report.as_dict()))["rows"][1]["ratio_to_pytorch"] == other.ratio


def test_a_share_of_the_measured_peak(checkpoint):
    report = measure([], baseline=checkpoint, settings=QUICK, roofline=True)
    limits, (row,) = report.roofline, report.rows
    assert 1e9 < limits.flops_per_s < 1e14
    assert 1e8 < limits.bytes_per_s < 1e13
    assert limits.threads == 1
    # HRNet-18s needs about 15 GFLOP at 400x400; 32x48 is 1/104 of it.
    assert 0.5 * 15e9 / 104 < row.flops < 2 * 15e9 / 104
    expected = row.flops / (row.median_ms / 1e3) / limits.flops_per_s
    assert row.percent_of_roofline == pytest.approx(100 * expected)
    assert json.loads(json.dumps(report.as_dict()))["roofline"]["kernel"] == limits.kernel


def test_errors_of_the_worker_keep_their_kind(checkpoint, tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"broken\.pth"):
        measure([broken], settings=QUICK, pytorch=False)
    with pytest.raises(InputFileError, match="missing"):
        measure([tmp_path / "missing.onnx"], settings=QUICK, pytorch=False)
    with pytest.raises(UsageError, match="nothing to time"):
        measure([], settings=QUICK, pytorch=False)


def test_command_prints_json_and_saves_it(checkpoint, tmp_path):
    result = invoke(
        *("--checkpoint", checkpoint, "--size", "32x48", "--threads", "1", "--runs", "2"),
        *("--warmup", "0", "--cold-starts", "1", "--json", "-o", tmp_path / "report.json"),
    )
    assert result.exit_code == 0, result.exception
    values = json.loads(result.stdout)
    assert values == json.loads((tmp_path / "report.json").read_text())
    assert values["size"] == [32, 48]
    assert values["settings"]["threads"] == 1
    assert len(values["rows"][0]["samples_ms"]) == 2
    assert values["machine"]["cores"] == os.cpu_count()


def test_table_marks_the_reference_evaluator(monkeypatch, tmp_path):
    rows = (
        make_row(ratios=None),
        make_row(path="b.mlpackage", runtime="coreml", engine="reference evaluator"),
    )
    machine_values = {"cpu": "A CPU", "usable_cores": 2, "load_average_1min": 0.1}
    report = LatencyReport(machine_values, {}, QUICK, (32, 48), None, rows)
    monkeypatch.setattr(latency, "measure", lambda *_args, **_kwargs: report)

    result = invoke(tmp_path / "a.onnx", "--no-pytorch")

    assert result.exit_code == 0, result.exception
    first, second = (
        line for line in result.stdout.splitlines() if ".onnx" in line or ".ml" in line
    )
    assert "—" in first  # no ratio without PyTorch
    assert "coreml: reference evaluator" in second
    assert "nothing about a device" in result.stderr.replace("\n", " ")
    assert rows[0].is_device_time
    assert not rows[1].is_device_time


def test_wrong_arguments(checkpoint, tmp_path):
    assert "--no-pytorch" in fails(UsageError, "--no-pytorch", "--checkpoint", checkpoint)
    fails(UsageError, "--no-pytorch")
    fails(UsageError, "--checkpoint", checkpoint, "--size", "big")
    fails(OutputFileError, "--checkpoint", checkpoint, "-o", tmp_path)
    fails(InputFileError, tmp_path / "missing.onnx", "--no-pytorch")


def test_a_lower_precision_is_compared_with_the_float32_graph_of_its_kind():
    def candidate(runtime, precision, rewrites, *samples, checkpoint="ab12", device=None):
        worker = SimpleNamespace(name=runtime)
        says = {"rewrites": rewrites, "checkpoint_sha256": checkpoint}.get
        values = {"samples": samples, "device": device, "precision": precision, "says": says}
        return SimpleNamespace(worker=worker, **values)

    baseline = candidate("onnx", "fp32", (), 100.0, 100.0, 100.0)
    rewritten = candidate("onnx", "fp32", ("a pass",), 10.0, 20.0, 40.0)
    elsewhere = candidate("tflite", "fp32", ("a pass",), 1.0, 1.0, 1.0)
    int8 = candidate("onnx", "int8", ("a pass", "another"), 5.0, 5.0, 30.0)
    alone = candidate("openvino", "int8", ("a pass",), 5.0, 5.0, 30.0)
    others = candidate("onnx", "fp32", ("a pass",), 2.0, 2.0, 2.0, checkpoint="of other weights")
    browser = candidate("onnx", "int8", ("a pass",), 7.0, 7.0, 7.0, device="a browser")
    everything = [others, baseline, elsewhere, rewritten, int8, alone, browser]
    ratios = [latency._ratio_to_fp32(each, everything) for each in everything]
    assert ratios == [None, None, None, None, 0.5, None, None]
