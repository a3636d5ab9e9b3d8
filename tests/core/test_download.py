"""Downloads: resumed, checked, and never partly written under the file's name."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.errors import DownloadError, OutputFileError, UsageError
from ritm_edge.weights.download import download, file_name, normalised_sha256
from ritm_edge.weights.published import PUBLISHED, published_checkpoint

from .file_server import ServedFile, serve

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_file_arrives_whole_with_its_checksum(tmp_path):
    seen = []
    with serve(ServedFile(CONTENT)) as served:
        digest = download(
            served.url, tmp_path / "new" / "w.bin", progress=lambda *state: seen.append(state)
        )
    assert digest == SHA256
    assert (tmp_path / "new" / "w.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["w.bin"]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_download_continues_where_it_stopped(tmp_path):
    target = tmp_path / "w.bin"
    with serve(ServedFile(CONTENT, break_after=300_000)) as served:
        with pytest.raises(DownloadError, match=r"300000 of 1048576 bytes.*again to continue"):
            download(served.url, target)
        assert not target.exists()
        served.break_after = None
        assert download(served.url, target, sha256=SHA256) == SHA256
    assert target.read_bytes() == CONTENT
    assert served.requested_ranges == [None, "bytes=300000-"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("change", ["another file", "no ranges"])
def test_a_file_that_cannot_be_continued_starts_again(tmp_path, change):
    target = tmp_path / "w.bin"
    with serve(ServedFile(CONTENT[::-1], break_after=300_000)) as served:
        with pytest.raises(DownloadError):
            download(served.url, target)
        served.break_after = None
        if change == "another file":
            served.content, served.etag = CONTENT, '"2"'
        else:
            served.ranges = False
        download(served.url, target)
    assert target.read_bytes() == served.content


def test_a_partial_file_longer_than_the_servers_starts_again(tmp_path):
    target = tmp_path / "w.bin"
    with serve(ServedFile(CONTENT, break_after=300_000)) as served:
        with pytest.raises(DownloadError):
            download(served.url, target)
        served.content, served.break_after = CONTENT[:1000], None
        download(served.url, target)
    assert target.read_bytes() == CONTENT[:1000]


def test_a_weak_etag_is_not_continued(tmp_path):
    with serve(ServedFile(CONTENT, etag='W/"1"', break_after=300_000)) as served:
        for _ in range(2):
            with pytest.raises(DownloadError):
                download(served.url, tmp_path / "w.bin")
    assert served.requested_ranges == [None, None]


def test_a_server_that_tells_no_length_is_believed(tmp_path):
    with serve(ServedFile(CONTENT, tell_length=False)) as served:
        assert download(served.url, tmp_path / "w.bin") == SHA256


def test_another_checksum_keeps_nothing(tmp_path):
    with serve(ServedFile(CONTENT)) as served, pytest.raises(DownloadError, match=SHA256):
        download(served.url, tmp_path / "w.bin", sha256="0" * 64)
    assert not list(tmp_path.iterdir())


def test_what_the_check_refuses_is_not_kept(tmp_path):
    def refuse(path: Path) -> None:
        assert path.read_bytes() == CONTENT
        raise DownloadError("refused")

    with serve(ServedFile(CONTENT)) as served, pytest.raises(DownloadError, match="refused"):
        download(served.url, tmp_path / "w.bin", check=refuse)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays(tmp_path):
    target = tmp_path / "w.bin"
    target.write_bytes(b"mine")
    with serve(ServedFile(CONTENT)) as served, pytest.raises(OutputFileError, match="exists"):
        download(served.url, target)
    assert target.read_bytes() == b"mine"
    assert served.requested_ranges == []


def test_a_refusal_of_the_server_is_told(tmp_path):
    with (
        serve(ServedFile(CONTENT, status=404)) as served,
        pytest.raises(DownloadError, match="404"),
    ):
        download(served.url, tmp_path / "w.bin")
    with pytest.raises(DownloadError, match="broke off"):  # the server is gone
        download(served.url, tmp_path / "w.bin")


def test_too_large_a_file_is_refused_before_it_fills_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("ritm_edge.weights.download.LARGEST_FILE", 1000)
    for tells in (True, False):
        with (
            serve(ServedFile(CONTENT, tell_length=tells)) as served,
            pytest.raises(DownloadError, match="1000"),
        ):
            download(served.url, tmp_path / "w.bin")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "weights.pth", "http:///x", "http://h/", "http://[/x", "ftp://h/x"],
)
def test_other_addresses_are_refused(url):
    with pytest.raises(UsageError):
        file_name(url)


def test_the_file_is_named_by_the_last_part_of_the_path():
    assert file_name("https://h/a/b.pth?download=1#x") == "b.pth"
    assert file_name("https://h/a%2F..%2Fb%20c.pth") == "b c.pth"


def test_checksums_are_64_hexadecimal_digits():
    assert normalised_sha256(f" sha256:{SHA256.upper()} ") == SHA256
    with pytest.raises(UsageError, match="64"):
        normalised_sha256("abc")


def test_published_checkpoints_have_a_name_and_a_model():
    from ritm_edge.model.ritm import HRNETS

    assert published_checkpoint("coco_lvis_h18s_itermask.pth").model == "hrnet18s"
    assert {each.model for each in PUBLISHED} <= set(HRNETS)
    with pytest.raises(UsageError, match="coco_lvis_h32_itermask"):
        published_checkpoint("h64")


def test_pull_saves_a_checkpoint_that_loads_and_pulls_it_once(tmp_path):
    from ritm_edge import default_checkpoint

    content = default_checkpoint().read_bytes()
    with serve(ServedFile(content)) as served:
        url = served.url.replace("weights.bin", "w.safetensors")
        for downloaded in (True, False):
            result = CliRunner().invoke(
                app, ["weights", "pull", url, "-o", str(tmp_path), "--json"]
            )
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout) == {
                "file": str(tmp_path / "w.safetensors"),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "url": url,
                "downloaded": downloaded,
            }
        (tmp_path / "w.safetensors").unlink()
        served.content = content[:-1] + b"x"
        again = CliRunner().invoke(app, ["weights", "pull", url, "-o", str(tmp_path)])
    assert len(served.requested_ranges) == 2
    note = (tmp_path / "w.safetensors.sha256").read_text()
    assert note == f"{hashlib.sha256(content).hexdigest()}  w.safetensors\n"
    assert isinstance(again.exception, DownloadError), "another file than the one pulled first"
    assert not (tmp_path / "w.safetensors").exists()


def test_pull_discards_what_is_not_a_checkpoint(tmp_path):
    with serve(ServedFile(b"<html>not found</html>")) as served:
        url = served.url.replace("weights.bin", "w.pth")
        result = CliRunner().invoke(app, ["weights", "pull", url, "-o", str(tmp_path)])
    assert isinstance(result.exception, DownloadError)
    assert "the download was discarded" in str(result.exception)
    assert not list(tmp_path.iterdir())


# What a server may say → what is kept of it.
LIES = {
    "Content-Length: " + "9" * 5000: "",
    "Content-Length: \u00b2": "",
    "Content-Length: -5": "",
    "Content-Range: bytes 0-2/3": "another part",
    "Location: ftp://h/x": "leads elsewhere",
    "Location: file:///etc/passwd": "answers 302",
    "Location: http://192.0.2.1/x": "leads elsewhere",
    "Location: data:,x": "answers 302",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies(tmp_path, lie):
    status = 302 if lie.startswith("Location") else 206 if "Range" in lie else 200
    answer = f"HTTP/1.1 {status} a\x1b[31m\r\n{lie}\r\nConnection: close\r\n\r\nabc"
    with raw_server([answer.encode("latin-1")]) as url:
        if LIES[lie]:
            with pytest.raises(DownloadError, match=LIES[lie]):
                download(url, tmp_path / "a.bin")
            assert not (tmp_path / "a.bin").exists()
        else:
            download(url, tmp_path / "a.bin")
            assert (tmp_path / "a.bin").read_bytes() == b"abc"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for(tmp_path, monkeypatch, head):
    monkeypatch.setattr("ritm_edge.weights.download.TIMEOUT_SECONDS", 1.0)
    parts = [head] * bool(head) + [b"H"] * 100
    start = time.monotonic()
    with raw_server(parts, pause=0.1) as url, pytest.raises(DownloadError, match="broke off"):
        download(url, tmp_path / "a.bin")
    assert time.monotonic() - start < 8


def test_http_is_for_this_machine_or_for_those_who_ask(tmp_path):
    for address in ("http://127.0.0.1:1/a.pth", "http://localhost/a.pth", "http://[::1]/a.pth"):
        assert file_name(address) == "a.pth"
    for address in ("http://h/a.pth", "http://127.0.0.1.h/a.pth", "http://localhost.h/a.pth"):
        with pytest.raises(UsageError, match="--allow-http"):
            download(address, tmp_path / "a.pth")
        assert file_name(address, allow_http=True) == "a.pth"
    with pytest.raises(UsageError, match="names no file"):
        file_name("https://h/a%0A%1B.pth")


@contextmanager
def raw_server(parts: list[bytes], *, pause: float = 0.0) -> Iterator[str]:
    """Sends these bytes to whoever connects first, with pauses between the parts."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                peer.recv(1 << 16)
                for part in parts:
                    peer.sendall(part)
                    time.sleep(pause)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.bin"
    listener.close()
