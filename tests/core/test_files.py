"""Writing files: the order in which the disk gets them, and what is never replaced."""

import errno
import os
from pathlib import Path

import pytest

from ritm_edge.errors import ArtifactError, OutputFileError
from ritm_edge.files import atomic_output, refuse_stand_in, sync


def write(path: Path, kind: str = "file") -> None:
    with atomic_output(path) as temporary:
        if kind == "file":
            temporary.write_text("new")
        else:
            (temporary / "Data").mkdir(parents=True)
            (temporary / "Data" / "weights").write_text("w")
            (temporary / "Manifest").write_text("m")


def path_of(handle: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{handle}"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """("sync" or "rename", last part of the path) in the order of the calls."""
    seen: list[tuple[str, str]] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def recorded_sync(handle: int) -> None:
        seen.append(("sync", path_of(handle).name))
        fsync(handle)

    def record(call):
        def recorded(source, target):
            seen.append(("rename", Path(target).name))
            call(source, target)

        return recorded

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(os, "replace", record(replace))
    monkeypatch.setattr(os, "rename", record(rename))
    return seen


def plain(calls: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of temporary names only the suffix."""
    return [(what, Path(name).suffix if name.startswith(".") else name) for what, name in calls]


def test_a_file_is_on_the_disk_before_it_is_renamed_and_the_folder_after(tmp_path, calls):
    write(tmp_path / "a.txt")
    assert plain(calls) == [("sync", ".txt"), ("rename", "a.txt"), ("sync", tmp_path.name)]


def test_new_folders_count_too(tmp_path, calls):
    write(tmp_path / "one" / "two" / "a.txt")
    assert plain(calls) == [
        ("sync", tmp_path.name),
        ("sync", "one"),
        ("sync", ".txt"),
        ("rename", "a.txt"),
        ("sync", "two"),
    ]


def test_all_files_of_a_folder_are_on_the_disk_before_it_is_renamed(tmp_path, calls):
    target = tmp_path / "m.mlpackage"
    for _ in range(2):  # the second replaces the first
        calls.clear()
        write(target, "folder")
        seen = plain(calls)
        first = seen.index(("rename", target.name))
        assert {name for _, name in seen[:first]} == {"Data", "weights", "Manifest", ".mlpackage"}
        assert seen[first + 1] == ("sync", tmp_path.name)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def fail(monkeypatch, code: int, *, folders: bool) -> None:
    original = os.fsync

    def fsync(handle: int) -> None:
        if folders == path_of(handle).is_dir():
            raise OSError(code, os.strerror(code))
        original(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    ("code", "folders"), [(errno.EINVAL, True), (errno.EACCES, True), (errno.EINVAL, False)]
)
def test_a_file_system_that_cannot_sync_is_written_to_all_the_same(
    tmp_path, monkeypatch, code, folders
):
    fail(monkeypatch, code, folders=folders)
    write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_while_syncing_keeps_what_was_there(tmp_path, monkeypatch, code):
    (tmp_path / "a.txt").write_text("old")
    fail(monkeypatch, code, folders=False)
    with pytest.raises(OutputFileError, match=os.strerror(code)):
        write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("there", "new"),
    [("folder", "file"), ("fifo", "file"), ("file", "folder"), ("folder", "folder")],
)
def test_what_is_of_another_kind_stays(tmp_path, there, new):
    target = tmp_path / "a"
    if there == "folder":
        (target / "precious").mkdir(parents=True)
    elif there == "fifo":
        os.mkfifo(target)
    else:
        target.write_text("precious")
    before = target.lstat().st_ino
    with pytest.raises(OutputFileError, match="another kind"):
        write(target, new)
    assert target.lstat().st_ino == before
    assert (target / "precious").is_dir() or there != "folder"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_link_stays_one_and_its_target_is_replaced(tmp_path):
    disk, link = tmp_path / "disk", tmp_path / "link.txt"
    disk.mkdir()
    link.symlink_to(disk / "real")
    for _ in range(2):  # a link to nothing, then to a file
        with atomic_output(link) as temporary:
            assert temporary.suffix == ".txt"
            temporary.write_text("new")
        assert link.is_symlink()
        assert (disk / "real").read_text() == "new"
        (disk / "real").write_text("old")
    assert len(list(disk.iterdir())) == 1


def test_a_write_protected_file_stays(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).is_dir())  # root may write all
    with pytest.raises(OutputFileError, match="Permission denied"):
        write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_missing_file_cannot_be_synced(tmp_path):
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"<!DOCTYPE html>", "web page"),
        (b" <p>404</p>", "web page"),
        (b"version https://git-lfs", "Git LFS"),
    ],
)
def test_what_stands_in_for_a_model_file_is_named(tmp_path, head, what):
    path = tmp_path / "model.pte"
    path.write_bytes(head)
    with pytest.raises(ArtifactError, match=what):
        refuse_stand_in(path, ArtifactError)


def test_a_model_file_may_begin_as_a_tag_does(tmp_path):
    path = tmp_path / "model.pte"
    path.write_bytes(b"<\0\0\0ET12")  # 60, where its root is
    refuse_stand_in(path, ArtifactError)
