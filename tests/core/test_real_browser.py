"""The page in Chromium as a device; skipped where one of them is missing."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from ritm_edge.devices import browser
from ritm_edge.devices.device import Device
from ritm_edge.devices.frames import pack
from ritm_edge.devices.places import open_place
from ritm_edge.devices.remote import RemoteRuntime
from ritm_edge.errors import RitmEdgeError
from ritm_edge.runtimes.base import ModelFile, open_runtime
from ritm_edge.web import site

from . import tflite_build
from .stand_in_device import WRONG
from .tflite_build import inputs

BUILT = (site.PAGE / "device" / "index.html").is_file()
CHROMIUM = any(map(shutil.which, browser.NAMES))
pytestmark = pytest.mark.skipif(
    not (BUILT and CHROMIUM), reason="needs Chromium and the page that make web builds"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tflite_build.write(tmp_path / "mean.tflite")


def test_a_real_browser_is_a_runtime(model):
    here = open_runtime(model)
    with open_place("browser") as device:
        with RemoteRuntime(ModelFile(model), device, patient=True) as remote:
            remote.open()
            assert remote.engine.startswith("LiteRT.js ")
            assert remote.fallback is None
            assert remote._shared is not None
            for seed in (0, 1, 0, 2, 3, 4, 5, 0):
                mask = remote.run(inputs(seed))["mask"]
                np.testing.assert_allclose(mask, here.run(inputs(seed))["mask"], atol=1e-6)
            zeros = {**inputs(), "prev_mask": np.zeros((1, 1, 32, 40))}
            assert (remote.run(zeros)["mask"] == 0).all()
            for change in ({"clicks": np.zeros((1, 5, 3))}, {"more": np.zeros(1)}):
                with pytest.raises(RitmEdgeError):
                    remote.run({**inputs(), **change})
            # The page is lost, and then the whole browser.
            device._transport.close()
            np.testing.assert_array_equal(
                remote.run(inputs())["mask"], remote.run(inputs())["mask"]
            )
            os.killpg(device.place._chromium.pid, 9)
            device.place._chromium.wait()
            np.testing.assert_allclose(
                remote.run(inputs())["mask"],
                here.run(inputs())["mask"],
                atol=1e-6,
            )
            assert device.connection == 3
        chromium = device.place._chromium
    assert chromium.returncode is not None


def test_a_real_browser_gets_arrays_in_messages_where_no_file_is_shared(model, monkeypatch):
    monkeypatch.setattr("ritm_edge.devices.remote.SharedFile.find", lambda *_: None)
    here = open_runtime(model)
    with open_place("browser") as device, RemoteRuntime(ModelFile(model), device) as remote:
        remote.open()
        for seed in (0, 1, 0):
            mask = remote.run(inputs(seed))["mask"]
            np.testing.assert_allclose(mask, here.run(inputs(seed))["mask"], atol=1e-6)


def test_files_that_are_open_in_one_browser_share_no_file(model):
    with (
        open_place("browser") as device,
        RemoteRuntime(ModelFile(model), device) as one,
        RemoteRuntime(ModelFile(model), device) as other,
    ):
        for remote in (one, other):
            remote.open()
        expected = [one.run(inputs(seed))["mask"] for seed in range(3)]
        for seed in range(3):
            np.testing.assert_array_equal(other.run(inputs(seed))["mask"], expected[seed])
            np.testing.assert_array_equal(one.run(inputs(seed))["mask"], expected[seed])
        files = [Path(f"/proc/self/fd/{r._shared._file.fileno()}").resolve() for r in (one, other)]
        assert files[0] != files[1]


def test_a_real_page_refuses_what_is_no_request():
    with open_place("browser") as device:
        for name in ("fly", "__proto__", "constructor", None, 7):
            transport = connected(device)
            answer = transport.exchange(pack({"do": name, "id": 4}), 20)
            assert answer.head["id"] == 4
            assert "there is no request" in answer.head["message"]
        for values in ({"do": "run", "model": 9}, {"do": "close"}, {"do": "put"}):
            answer = transport.exchange(pack({"id": 1, **values}), 20)
            assert answer.head["error"] == "UsageError", values
        request = type(answer)({"id": 1})
        for what, made in WRONG.items():
            if "id" in what.split() or not any(word in what for word in NO_MESSAGES):
                continue
            with pytest.raises(ConnectionError):
                connected(device).exchange(made(request), 20)
            device.leave(at_once=True)


NO_MESSAGES = ("tensors", "shape", "type", "axes", "JSON", "list")


def connected(device: Device):
    device.connect()
    return device._transport
