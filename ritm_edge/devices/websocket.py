"""The server's end of a WebSocket (RFC 6455) as a transport.

What one browser at a time needs, so that no package is: no extensions, messages as one stream of
bytes.
"""

import base64
import hashlib
import socket
import struct
import threading
from contextlib import suppress

import numpy as np

from .frames import MAX_ANSWER, ProtocolError
from .streams import SocketTransport

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _BINARY, _CLOSE, _PING, _PONG = 0, 2, 8, 9, 10


def accept_key(key: str) -> str:
    """The header Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


class WebSocketTransport(SocketTransport):
    """See `streams.SocketTransport`; the handshake is over."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(connected)
        self.ended = threading.Event()
        self._waiting = bytearray()

    def send(self, data: bytes) -> None:
        """See `SocketTransport`."""
        self._frame(_BINARY, data)

    def receive(self, count: int) -> bytearray:
        """See `SocketTransport`. Raises ProtocolError: no WebSocket, or text."""
        while len(self._waiting) < count:
            self._take()
        data = self._waiting[:count]
        del self._waiting[:count]
        return data

    def _take(self) -> None:
        """Receive a frame, and answer it where it is not data."""
        first, second = super().receive(2)
        length = second & 0x7F
        if length > 125:
            form, size = ((">H", 2), (">Q", 8))[length - 126]
            (length,) = struct.unpack(form, super().receive(size))
        kind = first & 0x0F
        if first & 0x70 or not second & 0x80 or length > MAX_ANSWER:
            raise ProtocolError("sends a frame that is no WebSocket's")
        mask = bytes(super().receive(4))
        payload = _unmasked(super().receive(length), mask)
        if kind in (_CONTINUED, _BINARY):
            self._waiting += payload
        elif kind == _PING and length <= 125:
            self._frame(_PONG, payload)
        elif kind == _CLOSE:
            raise ConnectionError("the page was closed, or left the connection")
        elif kind != _PONG:
            raise ProtocolError(f"sends a frame of kind {kind}")

    def _frame(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            head = struct.pack(">BB", 0x80 | kind, length)
        elif length < 1 << 16:
            head = struct.pack(">BBH", 0x80 | kind, 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, 127, length)
        super().send(head)
        super().send(data)

    def close(self, *, at_once: bool = False) -> None:
        """See `SocketTransport`."""
        with suppress(OSError):
            self._frame(_CLOSE, b"")
        with suppress(OSError):  # whoever waits for this socket elsewhere is woken
            self._socket.shutdown(socket.SHUT_RDWR)
        self.ended.set()
        super().close(at_once=at_once)


def _unmasked(payload: bytearray, mask: bytes) -> bytes:
    whole = np.frombuffer(payload + bytes(-len(payload) % 4), "<u4")
    plain = np.bitwise_xor(whole, np.frombuffer(mask, "<u4"))
    return bytes(plain.data.cast("B")[: len(payload)])
