"""`ritm-edge export` refuses arguments that exclude each other before it converts anything."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.cli.options import without_session_folders
from ritm_edge.errors import UsageError
from ritm_edge.export import pipeline


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-t onnx --dynamic --size 64x64", "--dynamic and --size exclude each other: pass one"),
        ("-t onnx -t tflite --dynamic", "--dynamic is not available for tflite: leave it out"),
        ("-t paper", "unknown target 'paper'"),
        ("-t onnx -p fp8", "unknown precision 'fp8'"),
        ("-t ncnn -p int8", "the target ncnn has no precision int8: choose from fp32, fp16"),
        (
            "-t executorch -p fp16",
            "target executorch has no precision fp16: choose from fp32, int8",
        ),
        ("-t coreml -p int8 --calibration d", "int8 for coreml needs no calibration: leave out"),
        ("-t coreml --session --fit stretch", "--fit is that of session graphs"),
        ("-t onnx --no-session --fit stretch", "--fit is that of session graphs"),
        ("-t onnx --dynamic --fit stretch", "--fit is that of session graphs"),
        ("-t onnx --fit wide", "unknown fit 'wide'"),
        ("-t onnx --calibration d", "fp32 for onnx needs no calibration: leave out --calibration"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, arguments, message):
    output = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", *arguments.split(), "--output", str(output)])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        ("-t onnx -t tflite", ["context", "context"]),
        ("-t onnx -t tflite --no-session", [None, None]),
        ("-t tflite --fit stretch", ["stretch"]),
        ("-t onnx --dynamic", [None]),
        ("-t coreml -t openvino -t onnx -t ncnn --fit letterbox", [None, None, "letterbox", None]),
        ("-t coreml --session", ["context"]),  # which is refused, see test_session_export
    ],
)
def test_files_of_fixed_size_get_session_graphs_where_the_target_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, fits: list[str | None]
) -> None:
    asked = []

    def export(*_arguments: Any, session: str | None, **_options: Any) -> Any:
        asked.append(session)
        if len(asked) == len(fits):
            raise UsageError("enough")

    monkeypatch.setattr(pipeline, "export_checkpoint", export)
    done = CliRunner().invoke(app, ["export", *arguments.split(), "--output", str(tmp_path / "x")])
    assert isinstance(done.exception, UsageError)
    assert asked == fits


def test_folders_of_session_graphs_are_no_files_to_measure(tmp_path: Path) -> None:
    graphs, network = tmp_path / "a.session", tmp_path / "a.onnx"
    graphs.mkdir()
    network.write_bytes(b"")
    assert without_session_folders([network, graphs]) == [network]
    assert without_session_folders([graphs]) == [graphs], "refused as of no known suffix"
    shutil.rmtree(graphs)
    assert without_session_folders([network, graphs]) == [network, graphs]
    assert without_session_folders(None) is None
