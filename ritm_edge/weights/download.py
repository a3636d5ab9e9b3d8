"""Download one file: resumable, checked, and only then given its name."""

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import DownloadError, OutputFileError, UsageError
from ..files import make_folder, move_into_place, sha256_of

LARGEST_FILE = 4 * 2**30
TIMEOUT_SECONDS = 30.0
SLOWEST = 1024  # bytes per second, over the time of a timeout
_CHUNK = 1 << 18
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = "([0-9]{1,18})"
_RANGE = re.compile(f"bytes {_NUMBER}-{_NUMBER}/{_NUMBER}")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")

_BROKEN_CONNECTION = (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)

Progress = Callable[[int, int | None], None]


def file_name(url: str, *, allow_http: bool = False) -> str:
    """Last part of the URL's path. Raises UsageError: not an https URL, nor an http one of this
    machine or with `allow_http`; or one that names no file."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    name = unquote(parts.path).rsplit("/", 1)[-1]
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"'{url}' cannot be downloaded: pass an https:// address.")
    if parts.scheme == "http" and not (allow_http or _LOOPBACK.fullmatch(host)):
        raise UsageError(
            f"'{url}' would arrive without protection against changes: pass an https:// address, "
            "or --allow-http."
        )
    if not name or name.startswith(".") or not name.isprintable():
        raise UsageError(f"'{url}' names no file: pass the address of a file.")
    return name


def normalised_sha256(text: str) -> str:
    """64 hexadecimal digits in lower case. Raises UsageError: something else."""
    digest = text.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(digest):
        raise UsageError(f"'{text}' is not a SHA-256 checksum: pass its 64 hexadecimal digits.")
    return digest


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    allow_http: bool = False,
    check: Callable[[Path], None] = lambda _: None,
    progress: Progress = lambda *_: None,
) -> str:
    """Fetch `url` into `target`, which appears only when it is complete and checked.

    An interrupted download leaves a hidden partial file beside `target`; the next call resumes
    it if the server still has the same file (by ETag or date) and supports byte ranges.

    Args:
        url: https, or http of this machine.
        allow_http: accept http of other machines too, also where the server redirects to it.
        target: file to make; it must not exist.
        sha256: expected checksum, 64 lower-case hexadecimal digits.
        check: called with the whole file before it gets its name; what it raises is passed on
            and the file is dropped.
        progress: called with the bytes received and the size, None if it is unknown.

    Returns:
        The file's SHA-256.

    Raises:
        UsageError: `url` is of another kind.
        DownloadError: the server refuses or is too slow, the connection breaks, the checksum
            differs, or the file is larger than `LARGEST_FILE`.
        OutputFileError: `target` exists or cannot be written.
    """
    file_name(url, allow_http=allow_http)
    if target.exists():
        raise OutputFileError(f"{target} exists: remove it or choose another place with --output.")
    partial = _Partial(target)
    try:
        make_folder(target.parent)
        _fetch(url, partial, progress, allow_http)
        digest = sha256_of(partial.path)
        if sha256 is not None and digest != sha256:
            partial.remove()
            raise DownloadError(
                f"{url} has the SHA-256 {digest} instead of {sha256}: nothing was kept; check the "
                "address and the checksum."
            )
        try:
            check(partial.path)
        except Exception:
            partial.remove()
            raise
        move_into_place(partial.path, target)
        partial.remove()
    except OSError as error:
        raise OutputFileError(
            f"cannot write {target}: {error.strerror or error}; choose another place with --output."
        ) from error
    return digest


@dataclass(frozen=True)
class _Partial:
    """The bytes so far, and beside them what identifies the server's file they are from."""

    target: Path

    @property
    def path(self) -> Path:
        # The suffix stays, since readers choose the format by it.
        return self.target.with_name(f".partial.{self.target.name}")

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def validator(self, url: str) -> str | None:
        """ETag or date of the file these bytes are from; None where they cannot be continued."""
        try:
            note = json.loads(self.note.read_text())
            known = note["validator"] if note["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return known if isinstance(known, str) and self.path.is_file() else None

    def begin(self, url: str, validator: str | None) -> None:
        self.path.write_bytes(b"")
        self.note.write_text(json.dumps({"url": url, "validator": validator}))

    def size(self) -> int:
        return self.path.stat().st_size

    def remove(self) -> None:
        for path in (self.path, self.note):
            with suppress(FileNotFoundError):
                path.unlink()


def _fetch(url: str, partial: _Partial, progress: Progress, allow_http: bool) -> None:
    headers = {"User-Agent": "ritm-edge", "Accept-Encoding": "identity"}
    validator = partial.validator(url)
    if validator and partial.size():
        headers |= {"Range": f"bytes={partial.size()}-", "If-Range": validator}
    try:
        with _within(TIMEOUT_SECONDS, lambda: _open(url, headers, allow_http)) as response:
            total = _prepare(url, partial, response, asked="Range" in headers)
            _receive(url, partial, response, total, progress)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
            # All of it was here already, or the server's file has shrunk: start again.
            partial.remove()
            _fetch(url, partial, progress, allow_http)
            return
        raise DownloadError(
            f"{url} answers {error.code} {str(error.reason)[:80]}: check the address."
        ) from error
    except (*_BROKEN_CONNECTION, urllib.error.URLError) as e:
        reason = e.reason if isinstance(e, urllib.error.URLError) else (str(e) or type(e).__name__)
        raise DownloadError(
            f"the download of {url} broke off ({str(reason)[:160]}): run the same command again to "
            "continue."
        ) from e


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to what could have been passed as an address as well."""

    def __init__(self, allow_http: bool) -> None:
        self.allow_http = allow_http

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        try:
            file_name(newurl + "/file", allow_http=self.allow_http)
        except UsageError as error:
            raise DownloadError(f"{req.full_url} leads elsewhere, and {error}") from error
        fp.close()  # its text is of no interest, and of any length
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """The result of a call. A socket's own timeout is for each byte: a server that sends one now
    and then would be waited for as long as it likes."""
    done: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            done.put((call(), None))
        except BaseException as error:
            done.put((None, error))

    Thread(target=work, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return result


def _open(url: str, headers: dict[str, str], allow_http: bool) -> Any:
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_Redirects(allow_http))
    try:
        return opener.open(request, timeout=TIMEOUT_SECONDS)
    except ValueError as error:
        raise UsageError(f"'{url}' cannot be downloaded: {error}; check the address.") from error


def _prepare(url: str, partial: _Partial, response: Any, *, asked: bool) -> int | None:
    """Make the partial file end where the response begins; the whole size, if it is told."""
    headers = response.headers
    span = _RANGE.fullmatch(headers.get("Content-Range", ""))
    continues = response.status == http.client.PARTIAL_CONTENT
    if continues and (not asked or span is None or int(span[1]) != partial.size()):
        partial.remove()
        raise DownloadError(f"{url} sends another part than asked for: run the command again.")
    if continues and span is not None:
        total: int | None = int(span[3])
    else:
        etag = headers.get("ETag", "")
        # A weak ETag may stand for other bytes, which a continued file must not mix.
        validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        partial.begin(url, validator)
        length = re.fullmatch(_NUMBER, headers.get("Content-Length", ""))
        total = None if length is None else int(length[1])
    if total is not None and total > LARGEST_FILE:
        partial.remove()
        raise DownloadError(f"{url} has {total} bytes, more than the {LARGEST_FILE} allowed.")
    return total


def _receive(
    url: str, partial: _Partial, response: Any, total: int | None, progress: Progress
) -> None:
    here = partial.size()
    progress(here, total)
    with partial.path.open("ab") as file:
        begun, before = time.monotonic(), here
        while chunk := response.read1(_CHUNK):
            here += len(chunk)
            seconds = time.monotonic() - begun
            if seconds > TIMEOUT_SECONDS:
                if here - before < SLOWEST * seconds:
                    raise TimeoutError(f"fewer than {SLOWEST} bytes a second")
                begun, before = begun + seconds, here
            if here > LARGEST_FILE:
                file.close()
                partial.remove()
                raise DownloadError(f"{url} sends more than the {LARGEST_FILE} bytes allowed.")
            file.write(chunk)
            progress(here, total)
    if total is not None and here != total:
        raise DownloadError(
            f"the download of {url} broke off after {here} of {total} bytes: run the same command "
            "again to continue."
        )
