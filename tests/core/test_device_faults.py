"""Whatever a device or a client does, the answer is an error of ours, in time."""

import os
import shlex
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from ritm_edge.devices import browser, device, pipe
from ritm_edge.devices.browser import Browser
from ritm_edge.devices.device import Device
from ritm_edge.devices.places import open_place
from ritm_edge.devices.remote import RemoteRuntime
from ritm_edge.errors import ArtifactError, DeviceError, RitmEdgeError
from ritm_edge.runtimes.base import ModelFile
from ritm_edge.web import site

from ..paths import ROOT
from . import tflite_build
from .stand_in_device import BREAKS, FRAMES, WRONG, WRONG_RUNS, PageEnd, Phone, StandIn, misbehaving

TIMEOUT_S = 2.0
PATIENCE_S = 20.0  # a stand-in's start on a loaded machine included


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    return ModelFile(tflite_build.write(tmp_path / "mean.tflite"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / "device").mkdir()
    return tmp_path / "device"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, name, value in (
        (device, "WORK_S", TIMEOUT_S),
        (device, "HELLO_S", TIMEOUT_S),
        (browser, "START_S", PATIENCE_S),
    ):
        monkeypatch.setattr(module, name, value)
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<html>")
    (page / "_headers").write_text("/*\n  X-Content-Type-Options: nosniff\n")
    monkeypatch.setattr(site, "PAGE", page)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@contextmanager
def reached(kind: str, what: str, when: str, kept: Path, monkeypatch) -> Iterator[Device | None]:
    """A stand-in at a place, which does `what` when it is asked for `when`."""
    program = ("-m", "tests.core.stand_in_device", what, when, str(kept))
    if kind == "process":
        # A process is ours and starts slowly; only its silence has to wait.
        monkeypatch.setattr(device, "WORK_S", 15.0 if what not in BREAKS else 5.0)
        monkeypatch.setattr(pipe, "SERVER", program)
        yield None
    elif kind == "adb":
        monkeypatch.setenv("PATH", f"{kept}{os.pathsep}{os.environ['PATH']}")
        phone = Phone(kept, StandIn(kept), misbehaving(what, when))
        with open_place("adb") as reachable:
            yield reachable
        phone.close()
    else:
        chromium = kept / "chromium"
        chromium.write_text(f'#!/bin/sh\nexec {sys.executable} {shlex.join(program)} "$@"\n')
        chromium.chmod(0o755)
        monkeypatch.setenv("CHROMIUM", str(chromium))
        with open_place("browser") as reachable:
            yield reachable


KINDS = ("process", "browser", "adb")
INPUTS = {
    "image": np.zeros((1, 3, 32, 40), np.float32),
    "clicks": np.full((1, 4, 3), -1, np.float32),
}
CASES = [(kind, what, "run") for kind in KINDS for what in (*WRONG, *WRONG_RUNS, *BREAKS)]
CASES += [("adb", what, when) for when in ("hello", "open", "put") for what in (*WRONG, *BREAKS)]
CASES += [("browser", what, "run") for what in FRAMES]
NEEDS_NOTHING = {("adb", what, "put") for what in ("a lack of everything", "nothing but missing")}
CASES = [case for case in CASES if case not in NEEDS_NOTHING]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stand_in_that_behaves_is_a_runtime(kind, model, kept, monkeypatch):
    monkeypatch.setattr(device, "WORK_S", PATIENCE_S)
    with reached(kind, "nothing", "", kept, monkeypatch) as there, RemoteRuntime(model, there) as r:
        r.open()
        assert (r._shared is not None) == (kind == "browser")
        ones = {**INPUTS, "image": np.ones((1, 3, 32, 40))}
        for value in (0.5, 0, 0.25):  # of one image, which goes over once
            mask = r.run({**ones, "prev_mask": mask_of(value)})["mask"]
            np.testing.assert_allclose(mask, mask_of(value), rtol=1e-6)


def test_without_its_shared_file_a_browser_gets_arrays_in_messages(model, kept, monkeypatch):
    monkeypatch.setattr(device, "WORK_S", PATIENCE_S)
    monkeypatch.setattr("ritm_edge.devices.remote.SharedFile.find", lambda *_: None)
    with (
        reached("browser", "nothing", "", kept, monkeypatch) as there,
        RemoteRuntime(model, there) as r,
    ):
        r.open()
        ones = {**INPUTS, "image": np.ones((1, 3, 32, 40)), "prev_mask": mask_of(0.5)}
        np.testing.assert_allclose(r.run(ones)["mask"], mask_of(0.5), rtol=1e-6)


def run_once(model: ModelFile, there: Device | None) -> None:
    with RemoteRuntime(model, there) as remote:
        remote.open()
        remote.run(INPUTS)


def mask_of(value):
    return np.full((1, 1, 32, 40), value, np.float32)


@pytest.mark.parametrize(("kind", "what", "when"), CASES)
def test_a_hostile_device_is_an_error_in_time(kind, what, when, model, kept, monkeypatch):
    before = time.monotonic()
    with (
        reached(kind, what, when, kept, monkeypatch) as there,
        pytest.raises(RitmEdgeError) as error,
    ):
        run_once(model, there)
    assert time.monotonic() - before < PATIENCE_S
    assert isinstance(error.value, DeviceError | ArtifactError)
    text = str(error.value)
    assert "mean.tflite" in text or f"the device at {kind}" in text
    assert text.isprintable()
    assert len(text) < 600


@pytest.mark.parametrize("name", ["SystemExit", "RitmEdgeError", "UsageError", "KeyError", None, 7])
@pytest.mark.parametrize("message", ["two\nlines\x1b[31m", "x" * 100_000, None, ["a"], ""])
def test_an_error_of_a_device_is_one_short_line(name, message, model, kept, monkeypatch):
    monkeypatch.setenv("PATH", f"{kept}{os.pathsep}{os.environ['PATH']}")

    class Angry(StandIn):
        def open(self, _request):
            return type(self.hello(_request))({"error": name, "message": message})

    phone = Phone(kept, Angry(kept))
    with (
        open_place("adb") as there,
        pytest.raises(RitmEdgeError) as error,
        RemoteRuntime(model, there) as remote,
    ):
        remote.open()
    phone.close()
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600


# What may come from anywhere on this machine to the address that a browser is to open.
REQUESTS = {
    "nothing": b"",
    "garbage": os.urandom(500) + b"\r\n\r\n",
    "no token": b"GET /device/socket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
    b"Origin: http://{host}\r\nSec-WebSocket-Key: x\r\n\r\n",
    "a wrong token": b"GET /device/socket?token=x HTTP/1.1\r\nHost: {host}\r\n"
    b"Upgrade: websocket\r\nOrigin: http://{host}\r\nSec-WebSocket-Key: x\r\n\r\n",
    "another page": b"GET /device/socket?token={token} HTTP/1.1\r\nHost: {host}\r\n"
    b"Upgrade: websocket\r\nOrigin: https://evil.example\r\nSec-WebSocket-Key: x\r\n\r\n",
    "no page": b"GET /device/socket?token={token} HTTP/1.1\r\nHost: {host}\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
    "no upgrade": b"GET /device/socket?token={token} HTTP/1.1\r\nHost: {host}\r\n"
    b"Origin: http://{host}\r\n\r\n",
    "no key": b"GET /device/socket?token={token} HTTP/1.1\r\nHost: {host}\r\n"
    b"Origin: http://{host}\r\nUpgrade: websocket\r\n\r\n",
    "a foreign name": b"GET /device/socket?token={token} HTTP/1.1\r\nHost: evil.example\r\n"
    b"Upgrade: websocket\r\nOrigin: http://evil.example\r\nSec-WebSocket-Key: x\r\n\r\n",
    "an endless line": b"GET /" + b"a" * 200_000,
    "a token in another script": "GET /device/socket?token=é%ff HTTP/1.1\r\nHost: {host}\r\n"
    "Upgrade: websocket\r\nOrigin: http://{host}\r\nSec-WebSocket-Key: x\r\n\r\n".encode(),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_no_other_client_becomes_the_device(what, capfd):
    place = Browser("127.0.0.1")
    try:
        host = f"127.0.0.1:{place._server.server_port}".encode()
        content = REQUESTS[what].replace(b"{host}", host)
        content = content.replace(b"{token}", place._token.encode())
        with socket.create_connection(("127.0.0.1", place._server.server_port), 5) as client:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            client.settimeout(5)
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert b" 101 " not in answer
        assert place._connections.empty()
        good = PageEnd(place.address)
        assert b"101" in good.status, "and the right one still does"
        place.connect().close()
    finally:
        place.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_silent_place_is_left_in_time(monkeypatch):
    monkeypatch.setattr(browser, "OPENED_BY_HAND_S", 0.5)
    with (
        Device(Browser("127.0.0.1")) as there,
        pytest.raises(DeviceError, match="no page has connected within"),
    ):
        there.connect()


def test_frames_above_a_limit_are_not_waited_for():
    ours, theirs = socket.socketpair()
    from ritm_edge.devices.frames import ProtocolError
    from ritm_edge.devices.websocket import WebSocketTransport

    transport = WebSocketTransport.__new__(WebSocketTransport)
    super(WebSocketTransport, transport).__init__(ours)
    transport._waiting = bytearray()
    theirs.sendall(struct.pack(">BBQ", 0x82, 0xFF, 1 << 62))
    with pytest.raises(ProtocolError):
        transport.exchange(b"", 2.0)
    ours.close()
    theirs.close()
