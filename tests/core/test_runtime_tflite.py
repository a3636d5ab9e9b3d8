"""The TFLite runtime: layout, names, and files that are not what they should be."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from ritm_edge import open_runtime
from ritm_edge.artifacts.checksum import BLANK
from ritm_edge.artifacts.tflite import OLD_SEAL_MARK
from ritm_edge.errors import ArtifactError, ShapeError
from ritm_edge.export.tflite.flatbuffer import pack

from ..graphs import run_tflite
from . import tflite_build as build

SHAPE = (1, 1, build.HEIGHT, build.WIDTH)


@pytest.fixture
def path(tmp_path):
    return build.write(tmp_path / "mean.tflite")


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    return {
        # Dark, so that the mean times the mask stays a probability.
        "image": rng.integers(0, 2, (1, 3, build.HEIGHT, build.WIDTH), dtype=np.uint8),
        "clicks": np.full((1, 2 * build.CLICKS, 3), -1.0),
        "prev_mask": rng.random(SHAPE),
    }


def expected(arrays):
    return arrays["image"].astype(np.float32).mean(1, keepdims=True) * arrays["prev_mask"]


def test_arrays_are_nchw_and_of_any_type(path):
    runtime = open_runtime(path, threads=2)
    for seed in range(3):  # the interpreter is used again and again
        arrays = inputs(seed)
        mask = runtime.run(arrays)["mask"]
        assert mask.shape == SHAPE
        assert mask.dtype == np.float32
        np.testing.assert_allclose(mask, expected(arrays), rtol=1e-6)


def test_an_input_that_a_signature_lacks_is_named(path):
    with pytest.raises(ValueError, match=r"serving_default takes .*, not pixels"):
        open_runtime(path)._graph.run({"pixels": np.zeros((4, 3), np.uint8)})


def test_outputs_stay_as_they_were_when_the_runtime_runs_again(path):
    runtime = open_runtime(path)
    first = runtime.run(inputs(0))["mask"]
    kept = first.copy()
    runtime.run(inputs(1))
    np.testing.assert_array_equal(first, kept)


def test_the_description_is_read_from_the_file(path):
    runtime = open_runtime(path)
    assert runtime.name == "tflite"
    assert runtime.path == path
    digest = runtime.info.content_sha256
    assert replace(runtime.info, content_sha256=BLANK) == build.info()
    assert digest != BLANK
    assert runtime.spec == build.SPEC


def test_wrong_shapes_are_refused(path):
    with pytest.raises(ShapeError, match=r"\[1, 3, 32, 32\] instead of \[1, 3, 32, 40\]"):
        open_runtime(path).run({**inputs(), "image": np.zeros((1, 3, 32, 32))})


def test_opening_and_running_is_silent_and_needs_neither_torch_nor_tensorflow(path):
    code = f"""
import sys
sys.modules["torch"] = sys.modules["tensorflow"] = None
import numpy as np
from ritm_edge import open_runtime
image = np.zeros((1, 3, {build.HEIGHT}, {build.WIDTH}))
runtime = open_runtime({str(path)!r}, threads=1)
print(runtime.run({{"image": image, "clicks": -np.ones((1, {2 * build.CLICKS}, 3))}})["mask"].sum())
print("still here", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0.0\n"
    assert done.stderr == "still here\n"


def refused(path):
    """The sentence with which a file is refused."""
    with pytest.raises(ArtifactError) as caught:
        open_runtime(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_every_truncation_is_found(path):
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), *range(len(data) - 50, len(data))]:
        path.write_bytes(data[:length])
        message = refused(path)
        assert any(t in message for t in ("truncated", "not a TFLite file", "changed after export"))


def test_every_changed_byte_is_found(path):
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in [*range(64), *rng.integers(64, len(data), 200), len(data) - 1]:
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        refused(path)


def test_added_bytes_are_found(path):
    path.write_bytes(path.read_bytes() + b"\0")
    assert "changed after export" in refused(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"TFL3", b"\0\0\0\0TFL3", b"\x1c\0\0\0TFL3" + bytes(500), b"PK\x03\x04" + bytes(99)],
    ids=["empty", "mark first", "header", "header and zeros", "zip"],
)
def test_foreign_bytes_are_refused(tmp_path, content):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(content)
    refused(path)
    with pytest.raises(ArtifactError):
        open_runtime(path, allow_changed=True)


def test_a_model_of_another_tool_is_refused(tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(pack(build.model()))
    assert "was not made by ritm-edge" in refused(path)
    with pytest.raises(ArtifactError, match="does not describe itself"):
        open_runtime(path, allow_changed=True)


def test_a_converted_graph_without_description_runs_but_is_no_artifact(tmp_path):
    path = tmp_path / "bare.tflite"
    path.write_bytes(pack(build.model(output="other")))
    refused(path)
    arrays = inputs()
    np.testing.assert_allclose(run_tflite(path, arrays)["other"], expected(arrays), rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "probabilities"}, "outputs"),
        ({"names": ("photo", "clicks", "prev_mask")}, "inputs"),
        ({"signature": "main"}, "serving_default"),
    ],
)
def test_a_graph_with_other_names_is_refused(tmp_path, changes, message):
    assert message in refused(build.write(tmp_path / "m.tflite", build.model(**changes)))


@pytest.mark.parametrize(
    "spec",
    [
        replace(build.SPEC, height=64),
        replace(build.SPEC, max_clicks=3),
        replace(build.SPEC, prev_mask=False),
        replace(build.SPEC, height=None, width=None),
    ],
    ids=["height", "clicks", "previous mask", "any size"],
)
def test_a_description_that_does_not_fit_the_graph_is_refused(tmp_path, spec):
    refused(build.write(tmp_path / "m.tflite", text=build.info(spec).to_json()))


def test_an_unknown_operation_is_refused(tmp_path):
    model = build.model()
    model.operatorCodes[1].builtinCode = 250
    model.operatorCodes[1].deprecatedBuiltinCode = 127
    assert "cannot be loaded" in refused(build.write(tmp_path / "m.tflite", model))


def old_text():
    """A self-description of the first version."""
    values = json.loads(build.info().to_json())
    del values["contract"], values["content_sha256"]
    return json.dumps({"format_version": 1, **values})


def test_files_of_the_first_version_have_their_checksum_at_the_end(tmp_path):
    path = build.write(tmp_path / "old.tflite", text=old_text())
    flatbuffer = path.read_bytes()
    assert "has no checksum" in refused(path)
    path.write_bytes(flatbuffer + OLD_SEAL_MARK + hashlib.sha256(flatbuffer).digest())
    runtime = open_runtime(path)
    np.testing.assert_allclose(runtime.run(inputs())["mask"], expected(inputs()), rtol=1e-6)
    assert runtime.info.content_sha256 is None
    whole = path.read_bytes()
    for position in range(0, len(whole), 61):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 8]) + whole[position + 1 :])
        refused(path)
    path.write_bytes(whole[:900] + whole[901:])
    assert "changed after export" in refused(path)


def test_a_folder_is_refused(tmp_path):
    folder = tmp_path / "folder.tflite"
    folder.mkdir()
    assert "is a folder" in refused(folder)
