"""`ritm-edge export` refuses arguments that exclude each other before it converts anything."""

import pytest
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.errors import UsageError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-t onnx --dynamic --size 64x64", "--dynamic and --size exclude each other: pass one"),
        ("-t onnx -t tflite --dynamic", "--dynamic is not available for tflite: leave it out"),
        ("-t paper", "unknown target 'paper'"),
        ("-t onnx -p fp8", "unknown precision 'fp8'"),
        ("-t ncnn -p int8", "the target ncnn has no precision int8: choose from fp32, fp16"),
        ("-t coreml -p int8 --calibration d", "int8 for coreml needs no calibration: leave out"),
        ("-t onnx --calibration d", "fp32 for onnx needs no calibration: leave out --calibration"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, arguments, message):
    output = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", *arguments.split(), "--output", str(output)])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not output.exists()
