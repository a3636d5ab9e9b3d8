"""Bytes to and from a device, each exchange within a time limit."""

import socket
import time

from . import frames

_PIECE = 1 << 20


class SocketTransport:
    """A connected socket that carries a request to a device and its answer back, one at a time; or
    the device's end of one."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.deadline: float | None = None  # of `time.monotonic`; None waits without end

    def exchange(self, request: bytes, timeout_s: float) -> frames.Message:
        """The answer to a request. Raises TimeoutError: it is not complete in time;
        ConnectionError: the other end has gone; says why, as far as that is known; ProtocolError:
        it is no message."""
        self.deadline = time.monotonic() + timeout_s
        try:
            self.send(request)
            return frames.read(self.receive)
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {timeout_s:.0f} s") from error
        except OSError as error:
            raise ConnectionError(error.strerror or str(error)) from error

    def send(self, data: bytes) -> None:
        """All of `data`. Raises TimeoutError, ConnectionError."""
        self._limit()
        self._socket.sendall(data)

    def receive(self, count: int) -> bytearray:
        """Exactly so many bytes. Raises TimeoutError, ConnectionError."""
        data = bytearray()
        while len(data) < count:
            self._limit()
            piece = self._socket.recv(min(count - len(data), _PIECE))
            if not piece:
                raise ConnectionError("the connection was closed")
            data += piece
        return data

    def _limit(self) -> None:
        if self.deadline is None:
            return self._socket.settimeout(None)
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return self._socket.settimeout(left)

    def close(self, *, at_once: bool = False) -> None:  # noqa: ARG002, nothing to wait for
        """End the connection; `at_once` does not wait for what the other side is doing."""
        self._socket.close()
