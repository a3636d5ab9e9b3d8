"""A device that answers as docs/device-protocol.md says, or does what no device should.

As a program (`python -m tests.core.stand_in_device BEHAVIOUR FOLDER [options] [ADDRESS]`) it stands
in for the process of a pipe, or, with the address of the page at the end, for a browser.
"""

import base64
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ritm_edge.devices.frames import KEPT_IMAGES, MAX_FILE, Message, pack, read
from ritm_edge.devices.shared_file import SharedFile
from ritm_edge.devices.streams import SocketTransport
from ritm_edge.errors import ArtifactError, RitmEdgeError, UsageError
from ritm_edge.io_spec import CLICKS, IMAGE, MASK
from ritm_edge.runtimes.base import ModelFile, Runtime

CHUNK = 60_000  # browsers send large messages in pieces
Hook = Callable[[str, SocketTransport, Message], bool]


class StandIn:
    """The whole protocol. `blobs` answers a disk around the first click instead of what the file
    computes; `forgetful` keeps no image. `storage` is where it makes files to share."""

    def __init__(
        self,
        folder: Path,
        *,
        blobs: bool = False,
        forgetful: bool = False,
        storage: Path | None = None,
    ) -> None:
        self.folder, self.blobs, self.storage = folder, blobs, storage
        self.shared: SharedFile | None = None
        self.kept = 0 if forgetful else KEPT_IMAGES
        self.models: dict[int, Runtime] = {}
        self.images: dict[tuple[int, int], Any] = {}
        self.log: list[str] = []
        self.sent_images = 0

    def hello(self, _: Message) -> Message:
        return Message({"device": "a stand-in", "suffixes": [".tflite"]})

    def put(self, request: Message) -> Message:
        content = request.tensors["file"].tobytes()
        if sha256(content).hexdigest() != request.head["sha256"]:
            raise ArtifactError("the model file changed on its way: send it again.")
        (self.folder / f"{request.head['sha256']}.tflite").write_bytes(content)
        return Message({})

    def open(self, request: Message) -> Message:
        path = self.folder / f"{request.head.get('sha256')}.tflite"
        if "path" in request.head:
            path = Path(request.head["path"])
        if not path.exists():
            return Message({"missing": True})
        runtime: Any = ModelFile(
            path, request.head["threads"], request.head["allow_changed"]
        ).open()
        self.models[len(self.models) + 1] = runtime
        head = {"model": len(self.models), "ms": 12.5, "runtime": "tflite", "engine": "stand-in 1"}
        more = {"spec": runtime.spec.as_dict(), "info": runtime.info.to_json()}
        if self.storage is not None and "share" in request.head:
            shared = self.storage / "Default" / f"{len(self.models)}"
            shared.parent.mkdir(parents=True, exist_ok=True)
            shared.write_text(request.head["share"])
            self.shared, more["shared"] = SharedFile(shared), True
        return Message({**head, "threads": 2, "fallback": None, "sha256": runtime.sha256, **more})

    def run(self, request: Message) -> Message:
        if "shared" not in request.head:
            return self.answer(request)
        assert self.shared is not None
        assert not request.tensors
        answer = self.answer(Message(request.head, self.shared.get(request.head["shared"])))
        return Message({**answer.head, "shared": self.shared.put(answer.tensors)})

    def answer(self, request: Message) -> Message:
        name = request.head["model"], request.head.get("image") or 0
        if IMAGE in request.tensors:
            self.sent_images += 1
            self.images[name] = request.tensors[IMAGE]
            self.images = dict(list(self.images.items())[-max(self.kept, 1) :])
        elif name not in self.images or not self.kept:
            return Message({"missing": True})
        else:
            request.tensors[IMAGE] = self.images[name]
        runtime = self.models.get(request.head["model"])
        if runtime is None:
            raise UsageError("the model is not open: open it first.")
        before = time.perf_counter()
        mask = self.blob(request) if self.blobs else runtime.run(request.tensors)[MASK]
        return Message({"ms": (time.perf_counter() - before) * 1e3}, {MASK: mask})

    def blob(self, request: Message) -> Any:
        clicks = request.tensors[CLICKS][0]
        height, width = request.tensors[IMAGE].shape[2:]
        rows, columns = np.mgrid[:height, :width]
        mask = np.full((height, width), 0.05, np.float32)
        for row, column, order in clicks[clicks[:, 2] >= 0]:
            near = np.hypot(rows - row, columns - column) < 4 + order
            mask[near] = 0.9
        return mask[None, None]

    def close(self, request: Message) -> Message:
        self.models.pop(request.head["model"])
        return Message({})

    def memory(self, _: Message) -> Message:
        return Message({"bytes": 50_000_000})

    def serve(self, transport: SocketTransport, misbehave: Hook = lambda *_: False) -> None:
        """Answer until the other side leaves, or until `misbehave` has done something else."""
        try:
            while True:
                request = read(transport.receive, most=MAX_FILE)
                self.log.append(request.head["do"])
                if misbehave(request.head["do"], transport, request):
                    continue
                try:
                    answer = getattr(self, request.head["do"])(request)
                except RitmEdgeError as error:
                    answer = Message({"error": type(error).__name__, "message": str(error)})
                transport.send(pack({"id": request.head["id"], **answer.head}, answer.tensors))
        except OSError:
            transport.close()


class PageEnd(SocketTransport):
    """A browser's end of a WebSocket: masked, in pieces, pinging."""

    def __init__(self, address: str, origin: str | None = None) -> None:
        parts = urlsplit(address)
        super().__init__(socket.create_connection((parts.hostname, parts.port), 10))
        key = base64.b64encode(os.urandom(16)).decode()
        origin = origin or f"http://{parts.hostname}:{parts.port}"
        self._socket.sendall(
            f"GET /device/socket?token={parts.fragment} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {origin}\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.status = b""
        while not self.status.endswith(b"\r\n\r\n"):
            self.status += bytes(super().receive(1))
        self._plain = bytearray()

    def send(self, data: bytes) -> None:
        self.frame(9, b"still there?")
        pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)] or [b""]
        for number, piece in enumerate(pieces):
            self.frame(0 if number else 2, piece, last=number == len(pieces) - 1)

    def frame(self, kind: int, data: bytes, *, last: bool = True) -> None:
        mask, length = os.urandom(4), len(data)
        head = bytes([(0x80 if last else 0) | kind])
        if length < 126:
            head += bytes([0x80 | length])
        else:
            head += bytes([0x80 | 126]) + struct.pack(">H", length)
        repeated = np.resize(np.frombuffer(mask, np.uint8), length)
        super().send(head + mask + (np.frombuffer(data, np.uint8) ^ repeated).tobytes())

    def receive(self, count: int) -> bytearray:
        while len(self._plain) < count:
            first, second = super().receive(2)
            assert not second & 0x80, "a server does not mask"
            length = second
            if length > 125:
                size = 2 if length == 126 else 8
                length = int.from_bytes(super().receive(size), "big")
            payload = super().receive(length)
            if first & 15 == 8:
                raise ConnectionError
            if first & 15 == 2:
                self._plain += payload
        data = self._plain[:count]
        del self._plain[:count]
        return data


def answer_with(head: dict[str, Any], body: bytes = b"", **prologue: int) -> bytes:
    """A message of any content; `version`, `head_bytes` and `body_bytes` may lie."""
    text = json.dumps(head).encode()
    values = {"version": 1, "head_bytes": len(text), "body_bytes": len(body), **prologue}
    return struct.pack("<4sIII", b"RITM", *values.values()) + text + body


MASK_ENTRY = {"name": "mask", "type": "float32", "shape": [1, 1, 32, 40]}
ZEROS = bytes(4 * 32 * 40)


def whole(**changes: Any) -> Callable[[Message], bytes]:
    """An answer that would do for any request, but for the changes."""

    def made(request: Message) -> bytes:
        good = {"model": 1, "ms": 0.1, "runtime": "tflite", "device": "a", "suffixes": [".tflite"]}
        others = {key: value for key, value in changes.items() if key != "body"}
        body = changes.get("body", ZEROS)
        head = {"id": request.head["id"], **good, "tensors": [MASK_ENTRY], **others}
        return answer_with(head, body)

    return made


def entry(**changes: Any) -> list[dict[str, Any]]:
    return [{**MASK_ENTRY, **changes}]


# What is sent instead of an answer.
WRONG: dict[str, Callable[[Message], bytes]] = {
    "another version": lambda r: answer_with({"id": r.head["id"]}, version=2),
    "a huge head": lambda _: answer_with({}, head_bytes=0xFFFFFFFF),
    "a huge body": lambda _: answer_with({}, body_bytes=0xFFFFFFF0),
    "a body above the limit": lambda _: answer_with({}, body_bytes=(1 << 27) + 1),
    "garbage": lambda _: os.urandom(4096),
    "a web server": lambda _: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "no JSON": lambda _: struct.pack("<4sIII", b"RITM", 1, 6, 0) + b"{'a':1",
    "no UTF-8": lambda _: struct.pack("<4sIII", b"RITM", 1, 4, 0) + b"\xff\xfe{}",
    "a list": lambda _: struct.pack("<4sIII", b"RITM", 1, 2, 0) + b"[]",
    "deep JSON": lambda _: struct.pack("<4sIII", b"RITM", 1, 200_000, 0) + b"[" * 200_000,
    "another request's id": lambda r: whole(id=r.head["id"] + 1)(r),
    "an id of another type": lambda r: whole(id=str(r.head["id"]))(r),
    "tensors that are no list": whole(tensors={"mask": 1}),
    "too many tensors": whole(tensors=entry() * 1000),
    "an unknown type": whole(tensors=entry(type="object")),
    "a shape of texts": whole(tensors=entry(shape=["1", "1", "32", "40"])),
    "a negative shape": whole(tensors=entry(shape=[-1, -1, 32, 40])),
    "an endless shape": whole(tensors=entry(shape=[1 << 50] * 8)),
    "a shape of other bytes": whole(tensors=entry(shape=[1, 1, 32, 41])),
    "many axes": whole(tensors=entry(shape=[1] * 70 + [32, 40])),
    "a NaN in the head": lambda r: answer_with(
        {"id": r.head["id"], "ms": float("nan"), "model": float("nan"), "device": float("nan")}
    ),
    "nothing but missing": lambda r: answer_with({"id": r.head["id"], "missing": True}),
    "a lack of everything": lambda r: answer_with({"id": r.head["id"]}),
}  # fmt: skip
# Answers to a run that are messages, and no result.
WRONG_RUNS: dict[str, Callable[[Message], bytes]] = {
    "no mask": whole(tensors=[], body=b""),
    "a small mask": whole(tensors=entry(shape=[1, 1, 16, 40]), body=bytes(2560)),
    "a mask of bytes": whole(tensors=entry(type="uint8"), body=bytes(1280)),
    "a mask of NaN": whole(body=np.full(1280, np.nan, "<f4").tobytes()),
    "a mask of infinities": whole(body=np.full(1280, np.inf, "<f4").tobytes()),
    "a mask of logits": whole(body=np.full(1280, -7, "<f4").tobytes()),
    "a negative time": whole(ms=-1),
    "an infinite time": whole(ms=float("inf")),
    "a time longer than the wait": whole(ms=1e6),
    "a time in words": whole(ms="fast"),
    "always missing": whole(missing=True, tensors=[], body=b""),
    **{
        f"{what} in a shared file": whole(shared=shared, tensors=[], body=b"")
        for what, shared in {
            "nothing": None,
            "no list": 7,
            "no mask": [],
            "an endless shape": entry(shape=[1 << 50] * 8),
            "an array beyond the limit": entry(shape=[1, 1, 8000, 8000]),
            "more than was written": entry(shape=[1, 1, 4000, 4000]),
            "an unknown type": entry(type="object"),
            "a mask of bytes": entry(type="uint8"),
        }.items()
    },
}


def misbehaving(what: str, when: str) -> Hook:
    """Does `what` once the request `when` comes."""

    def hook(name: str, transport: SocketTransport, request: Message) -> bool:
        if name != when or what == "nothing":
            return False
        if what == "silence":
            time.sleep(60)
        elif what == "a byte now and then":
            for byte in answer_with({}):
                transport.send(bytes([byte]))
                time.sleep(0.2)
        elif what == "half an answer":
            transport.send(whole()(request)[:-100])
            transport.close()
        elif what == "an end":
            transport.close()
        elif what == "text frames" and isinstance(transport, PageEnd):
            transport.frame(1, b"hello")
        elif what == "frames without mask" and isinstance(transport, PageEnd):
            SocketTransport.send(transport, b"\x82\x05hello")
        elif what == "endless pings" and isinstance(transport, PageEnd):
            while True:
                transport.frame(9, b"")
        else:
            transport.send({**WRONG, **WRONG_RUNS}[what](request))
        return True

    return hook


BREAKS = ["silence", "a byte now and then", "half an answer", "an end"]
FRAMES = ["text frames", "frames without mask", "endless pings"]


class Phone:
    """A stand-in that listens, and a program `adb` in `folder` that leads to it."""

    def __init__(self, folder: Path, stand_in: StandIn, misbehave: Hook = lambda *_: False) -> None:
        self.stand_in, self.connections = stand_in, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._misbehave = misbehave
        port = self._listener.getsockname()[1]
        adb = folder / "adb"
        adb.write_text(
            f'#!/bin/sh\necho "$*" >> {folder}/adb.log\n'
            f'case "$*" in *"forward tcp:0"*) echo {port};; esac\n'
        )
        adb.chmod(0o755)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            served = SocketTransport(accepted), self._misbehave
            threading.Thread(target=self.stand_in.serve, args=served, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which must not accept more
        self._thread.join(0.5)
        self._listener.close()


def main() -> None:
    what, when, folder, *rest = sys.argv[1:]
    profile = "--user-data-dir="
    storage = [Path(each.removeprefix(profile)) for each in rest if each.startswith(profile)]
    stand_in = StandIn(Path(folder), storage=storage[0] if storage else None)
    address = next((each for each in rest if each.startswith("http")), None)
    if address is None:
        stand_in.serve(SocketTransport(socket.socket(fileno=os.dup(0))), misbehaving(what, when))
        return
    while True:
        stand_in.serve(PageEnd(address), misbehaving(what, when))
        time.sleep(0.2)


if __name__ == "__main__":
    main()
