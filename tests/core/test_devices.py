"""A runtime in another process is the runtime: same masks, same facts, same errors."""

import io
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ritm_edge.devices import frames
from ritm_edge.devices.device import Device
from ritm_edge.devices.inputs import round_inputs
from ritm_edge.devices.pipe import Process
from ritm_edge.devices.remote import RemoteRuntime
from ritm_edge.errors import ArtifactError, CheckpointError, InputFileError, ShapeError
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.checkpoint import save_checkpoint
from ritm_edge.model.ritm import build_model
from ritm_edge.runtimes.base import ModelFile, open_runtime


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.pth"
    save_checkpoint(build_model("hrnet18s").eval(), path)
    return path


def test_it_answers_like_the_file_here(checkpoint):
    here = open_runtime(checkpoint, threads=1)
    inputs = round_inputs(here.spec, (32, 48), seed=0, index=0)
    with RemoteRuntime(ModelFile(checkpoint, threads=1)) as there:
        assert there.open() > 0
        for name in ("name", "engine", "label", "sha256", "spec", "info"):
            assert getattr(there, name) == getattr(here, name)
        np.testing.assert_array_equal(there.run(inputs)["mask"], here.run(inputs)["mask"])
        with pytest.raises(ShapeError, match="unknown"):
            there.run({**inputs, "more": np.zeros(1)})
        np.testing.assert_array_equal(there.run(inputs)["mask"], here.run(inputs)["mask"])
        whole = {**inputs, "image": np.full((1, 3, 32, 48), 0.5)}
        np.testing.assert_array_equal(there.run(whole)["mask"], here.run(whole)["mask"])
        assert there.time((32, 48), seed=0, index=1) > 0
        assert there.memory() > 10e6
        transport = there._device._transport
    assert transport._process.returncode is not None


def test_a_source_opens_another_one_wherever_it_is_sent(checkpoint):
    source = pickle.loads(pickle.dumps(open_runtime(checkpoint, threads=1).source))
    assert source == ModelFile(checkpoint, threads=1)
    assert source.open().label == str(checkpoint)
    remote = pickle.loads(pickle.dumps(RemoteRuntime(source).source)).open()
    try:
        assert remote.name == "pytorch"
        transport = remote._device._transport
    finally:
        remote.close()
    assert transport._process.returncode is not None


def test_threads_reach_the_process(checkpoint):
    with RemoteRuntime(ModelFile(checkpoint, threads=1)) as worker:
        worker.memory()
        status = Path(f"/proc/{worker._device._transport._process.pid}/environ")
        if status.exists():
            assert b"OMP_NUM_THREADS=1" in status.read_bytes()


def test_errors_keep_their_kind(checkpoint, tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(checkpoint.read_bytes()[:1000])
    for path, kind in ((broken, CheckpointError), (tmp_path / "missing.onnx", InputFileError)):
        with RemoteRuntime(ModelFile(path)) as worker, pytest.raises(kind, match=path.name):
            worker.open()


def test_a_process_that_dies_is_reported(checkpoint):
    with RemoteRuntime(ModelFile(checkpoint)) as worker:
        worker.memory()
        os.kill(worker._device._transport._process.pid, signal.SIGKILL)
        with pytest.raises(ArtifactError, match="ended its process"):
            worker.open()


class Silent(Process):
    """A process that never answers."""

    def connect(self):
        return self

    def exchange(self, request, _timeout_s):
        assert b"open" in request
        raise TimeoutError("no answer within 1 s")

    def close(self, *, at_once=False):
        self.closed_at_once = at_once


def test_any_transport_will_do():
    place = Silent()
    with (
        pytest.raises(ArtifactError, match=r"m\.onnx gave no answer within 1 s"),
        RemoteRuntime(ModelFile(Path("m.onnx")), Device(place)) as remote,
    ):
        remote.open()
    assert remote._device._transport is None


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (1, 0, 3), (), (3,)])
def test_arrays_survive_the_wire(shape, dtype):
    array = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype)
    stream = io.BytesIO(frames.pack({"do": "run", "é": [None, 1.5]}, {"a": array, "b": array.T}))
    again = frames.read(lambda count: bytearray(stream.read(count)))
    assert stream.read() == b""
    assert again.head == {"do": "run", "é": [None, 1.5]}
    assert again.tensors["a"].dtype == dtype
    assert again.tensors["a"].flags.writeable
    np.testing.assert_array_equal(again.tensors["a"], array)
    np.testing.assert_array_equal(again.tensors["b"], array.T)


def test_inputs_are_fresh_and_the_same_for_all():
    artifact, checkpoint = IOSpec(32, 48, max_clicks=6), IOSpec(max_clicks=None)
    first = round_inputs(artifact, (32, 48), seed=0, index=0)
    again = round_inputs(artifact, (32, 48), seed=0, index=0)
    other = round_inputs(checkpoint, (32, 48), seed=0, index=0)
    later = round_inputs(artifact, (32, 48), seed=0, index=1)
    assert {name: a.shape for name, a in first.items()} == {
        "image": (1, 3, 32, 48),
        "clicks": (1, 12, 3),
        "prev_mask": (1, 1, 32, 48),
    }
    for name, array in first.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, again[name])
        assert not np.array_equal(array, later[name])
    np.testing.assert_array_equal(first["image"], other["image"])
    np.testing.assert_array_equal(first["clicks"][0, :2], other["clicks"][0, :2])
    np.testing.assert_array_equal(first["clicks"][0, 6], other["clicks"][0, 2])
    assert first["prev_mask"].min() == 0
    assert first["prev_mask"].max() == 1
    assert "prev_mask" not in round_inputs(IOSpec(prev_mask=False), (32, 48), seed=0, index=0)
    single = round_inputs(IOSpec(max_clicks=1), (32, 48), seed=0, index=0)["clicks"]
    assert (single[0, :, 2] == [0, 1]).all()


def test_peak_memory_is_in_bytes_and_of_this_process_alone():
    block = np.ones(40_000_000)  # 320 MB here must not count there
    code = (
        "import numpy as np\n"
        "from ritm_edge.devices.server import peak_memory_bytes\n"
        "print(peak_memory_bytes())\n"
        "np.ones(25_000_000)\n"
        "print(peak_memory_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 10e6 < before < 200e6 < block.nbytes
    assert 190e6 < after - before < 300e6
