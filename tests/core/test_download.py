"""Downloads: resumed, checked, and never partly written under the file's name."""

import hashlib
import json
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
