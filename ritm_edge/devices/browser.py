"""A browser as a place: the built page at /device/, a socket to it, and Chromium to open it."""

import ipaddress
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from hmac import compare_digest
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..errors import DeviceError, UsageError
from ..web.server import LOOPBACK, PageHandler
from ..web.site import INDEX, page_files, page_headers
from .websocket import WebSocketTransport, accept_key

START_S = 60.0  # for the browser to start and the page to connect, on a busy machine
OPENED_BY_HAND_S = 600.0
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PAGE, SOCKET = "device/", "/device/socket"
# Nothing that the browser does on its own goes out.
FLAGS = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
    "--disable-sync", "--disable-quic", "--disable-background-networking", "--disable-extensions",
    "--disable-component-update", "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
)  # fmt: skip
# It ends when nobody holds the other end of the pipe at 3 any more, however this process ends.
_WITH_PIPE = 'exec "$0" --remote-debugging-pipe "$@" 3<&0 4>/dev/null'


class Browser:
    """See `device.Place`.

    Args:
        listen: ADDRESS or ADDRESS:PORT of this machine where a browser that somebody opens by hand
            finds the page, also one of another device; None starts Chromium here.
        say: is told the address then.

    Raises:
        InputFileError: the page was not built.
        DeviceError: no Chromium was found.
        UsageError: an address that is not one of this machine.
    """

    name = "browser"

    def __init__(
        self, listen: str | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._files, self.headers = page_files(), page_headers()
        self._token = secrets.token_urlsafe(16)
        self._connections: queue.Queue[WebSocketTransport] = queue.Queue()
        self._program = find_chromium() if listen is None else None
        self._chromium: subprocess.Popen[bytes] | None = None
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.storage = Path(self._profile.name) if self._program else None
        self._say = say
        host, port = _address(listen)
        try:
            self._server = _Server((host, port), partial(_Handler, self))
        except OSError as error:
            raise UsageError(
                f"{listen or host} cannot be listened on ({error.strerror}): pass --listen an "
                "address of this machine, for example 192.168.1.5:8000."
            ) from error
        self.host = host
        self.address = f"http://{host}:{self._server.server_port}/{PAGE}#{self._token}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def find(self, address: str) -> Path | None:
        """See `web.server.Files`."""
        return self._files.get(address) or self._files.get(f"{address.removesuffix('/')}/{INDEX}")

    def knows(self, token: str) -> bool:
        """Whether it is the one in the address of the page."""
        return compare_digest(token.encode(), self._token.encode())

    def offer(self, transport: WebSocketTransport) -> None:
        """Take a page that has connected."""
        self._connections.put(transport)

    def connect(self) -> WebSocketTransport:
        """See `Place`: the page that connects next."""
        if self._program is None:
            self._say(f"open {self.address} in the browser that should run the model")
            patience = OPENED_BY_HAND_S
        else:
            patience = START_S
            if self._chromium is None or self._chromium.poll() is not None:
                self._start(self._program)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with suppress(queue.Empty):
                return self._connections.get(timeout=0.2)
            if self._chromium is not None and self._chromium.poll() is not None:
                raise DeviceError(
                    f"{self._program} ended at once ({self._last_words()}): run it by hand, or "
                    "pass --listen 127.0.0.1 and open the address in another browser."
                )
        raise DeviceError(
            f"no page has connected within {patience:.0f} s: open the address that --listen "
            "127.0.0.1 gives in a browser of your own."
        )

    def _start(self, program: str) -> None:
        # Chromium does not start as root otherwise.
        root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
        profile = f"--user-data-dir={self._profile.name}/profile"
        with (Path(self._profile.name) / "log").open("wb") as log:
            self._chromium = subprocess.Popen(
                ["sh", "-c", _WITH_PIPE, program, *FLAGS, *root, profile, self.address],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # it has many processes, which end together
            )

    def _last_words(self) -> str:
        text = (Path(self._profile.name) / "log").read_text(errors="replace").strip()
        return text.splitlines()[-1][:160] if text else "without a word"

    def close(self) -> None:
        """See `Place`."""
        self._server.shutdown()
        self._server.server_close()
        while not self._connections.empty():
            self._connections.get().close(at_once=True)
        if self._chromium is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._chromium.pid, signal.SIGKILL)
            self._chromium.communicate()
        self._profile.cleanup()


def find_chromium() -> str:
    """The program that CHROMIUM names, or the first that is installed. Raises DeviceError: none."""
    named = os.environ.get("CHROMIUM")
    for name in (named,) if named else NAMES:
        found = shutil.which(name)
        if found:
            return found
    if not named and sys.platform == "darwin" and MAC.exists():
        return str(MAC)
    raise DeviceError(
        f"no Chromium was found ({f'CHROMIUM={named}' if named else ', '.join(NAMES)}): install "
        "chromium or Chrome, name it in the variable CHROMIUM, or pass --listen 127.0.0.1 and open "
        "the address yourself."
    )


def _address(listen: str | None) -> tuple[str, int]:
    host, _, port = (listen or LOOPBACK).partition(":")
    host = LOOPBACK if host == "localhost" else host
    try:
        ipaddress.IPv4Address(host)
        number = int(port or 0)
        if host == "0.0.0.0" or not 0 <= number < 1 << 16:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            f"--listen {listen} is no address of this machine: write ADDRESS or ADDRESS:PORT, for "
            "example 192.168.1.5:8000."
        ) from error
    return host, number


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that breaks off or sends garbage is nobody's business."""


class _Handler(PageHandler):
    def __init__(self, browser: Browser, *arguments: Any) -> None:
        self._browser = browser
        super().__init__(browser, *arguments)

    def do_GET(self) -> None:
        self.hosts = (self._browser.host, "localhost")  # type: ignore[misc]
        address = urlsplit(self.path)
        if address.path != SOCKET:
            return super().do_GET()
        if not self._may_connect(parse_qs(address.query)):
            return self.say(403, "Open the address that the command says, with everything in it.")
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        key = self.headers["Sec-WebSocket-Key"]
        self.send_header("Sec-WebSocket-Accept", accept_key(key))
        self.end_headers()
        self.close_connection = True
        transport = WebSocketTransport(self.connection)
        self._browser.offer(transport)
        transport.ended.wait()  # the server closes the socket when this returns
        return None

    def _may_connect(self, query: Mapping[str, list[str]]) -> bool:
        """Only our own page: another one neither has the token nor, in a browser, our origin."""
        origin = urlsplit(self.headers.get("Origin", "")).hostname
        token = query.get("token", [""])[0]
        return (
            self.headers.get("Upgrade", "").lower() == "websocket"
            and "Sec-WebSocket-Key" in self.headers
            and origin in self.hosts
            and self._browser.knows(token)
        )
