"""A web server on this machine that serves one file, well or badly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class ServedFile:
    """What is served at every path, and how."""

    content: bytes
    etag: str = '"1"'
    ranges: bool = True
    break_after: int | None = None
    status: int = 200
    tell_length: bool = True
    url: str = ""
    requested_ranges: list[str | None] = field(default_factory=list)


def _handler(served: ServedFile) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.requested_ranges.append(wanted)
            if served.status != 200:
                self.send_error(served.status)
                return
            start = 0
            if wanted and served.ranges and self.headers.get("If-Range") == served.etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            total = len(served.content)
            if wanted and start >= total:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            if served.tell_length:
                self.send_header("Content-Length", str(total - start))
            self.send_header("ETag", served.etag)
            self.end_headers()
            self.wfile.write(served.content[start : served.break_after])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serve(served: ServedFile) -> Iterator[ServedFile]:
    """Serve until the block ends; `served.url` ends in /weights.bin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/files/weights.bin?raw=1"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
