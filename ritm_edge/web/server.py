"""Serves a site to browsers of this machine, and to nobody else."""

import mimetypes
import re
import shutil
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import unquote, urlsplit

from ..errors import OutputFileError, RitmEdgeError
from .site import INDEX

LOOPBACK = "127.0.0.1"
# Windows' registry can say otherwise of .js, and browsers then refuse to run it.
TYPES = {"js": "text/javascript", "wasm": "application/wasm", "svg": "image/svg+xml"}


class Files(Protocol):
    """What is served; see `Site`."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def find(self, address: str) -> Path | None: ...


def open_server(site: Files, port: int = 0) -> ThreadingHTTPServer:
    """A server that listens on the loopback address; `serve_forever` starts it. Port 0 takes a
    free one; `server_port` tells which.

    Raises:
        OutputFileError: the port is taken or not allowed.
    """
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(PageHandler, site))
    except OSError as error:
        raise OutputFileError(
            f"port {port} cannot be used ({error.strerror}): pass another with --port."
        ) from error


class PageHandler(BaseHTTPRequestHandler):
    """Answers with the files of a site; `hosts` are the names that this machine goes by."""

    hosts: ClassVar[tuple[str, ...]] = (LOOPBACK, "localhost")
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, site: Files, *arguments: Any) -> None:
        self._site = site
        super().__init__(*arguments)

    def do_GET(self) -> None:
        # Somebody else's page whose name was pointed at this machine must not read what is here.
        if re.sub(r":\d+$", "", self.headers.get("Host", "")) not in self.hosts:
            return self.say(403, f"This server answers to {' and '.join(self.hosts)} only.")
        path = unquote(urlsplit(self.path).path)
        try:
            found = self._site.find(path.removeprefix("/"))
        except RitmEdgeError as error:
            return self.say(404, str(error))
        if found is None:
            return self.say(404, "There is no such file here.")
        if found.name == INDEX and not path.endswith(("/", INDEX)):
            # Without the slash its relative links would lead elsewhere.
            return self.say(301, "It is a folder.", Location=f"/{path.strip('/')}/")
        kind = TYPES.get(found.suffix[1:]) or mimetypes.guess_type(found.name)[0]
        with found.open("rb") as file:
            self._begin(200, kind or "application/octet-stream", found.stat().st_size)
            if self.command == "GET":
                shutil.copyfileobj(file, self.wfile)
        return None

    do_HEAD = do_GET

    def say(self, status: int, text: str, **headers: str) -> None:
        """Answer with a text."""
        content = text.encode()
        self._begin(status, "text/plain; charset=utf-8", len(content), **headers)
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(self, status: int, kind: str, size: int, **headers: str) -> None:
        self.send_response(status)
        fixed = {"Content-Type": kind, "Content-Length": str(size), "Cache-Control": "no-cache"}
        for name, value in {**fixed, **self._site.headers, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Requests are nobody's business; errors reach the page as answers."""
