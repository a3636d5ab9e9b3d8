"""Writing files so that a crash, full disk or power cut never leaves a partial one."""

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputFileError, OutputFileError


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, since writers choose the format by it. Whatever stood at
    `path` stays untouched until the rename, and after a power cut `path` is the old or the new
    one. Works for files and for folders (`.mlpackage`); a symbolic link stays one.

    Raises:
        OutputFileError: the folder cannot be made or written, the disk is full, or what stands
            there is write-protected or of another kind.
    """
    path = Path(path)
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = place.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        make_folder(place.parent)
        if not all(os.access(each, os.W_OK) for each in (place.parent, place) if each.exists()):
            raise PermissionError(13, "Permission denied")
        yield temporary
        move_into_place(temporary, place)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename != str(temporary):
            raise
        raise OutputFileError(
            f"cannot write {path}: {error.strerror or error}; choose another place with --output."
        ) from error
    finally:
        _remove(temporary)


def write_output(path: Path, content: str | bytes | memoryview) -> None:
    """Write a whole file, text in UTF-8; see `atomic_output`."""
    with atomic_output(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def make_folder(path: Path) -> None:
    """Make a folder and those above it so that a power cut does not lose them; raises OSError."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def move_into_place(source: Path, target: Path) -> None:
    """Rename `source` to `target`; the disk has its content before and its name afterwards. Raises
    OSError: it cannot be done, or `target` is something that `source` must not replace: a folder by
    a file, a device, a folder with other things in it."""
    if target.is_dir() and source.is_dir():
        others = {e.name for e in target.iterdir() if not e.name.startswith(".")}
        of_one_kind = others <= {each.name for each in source.iterdir()}
    else:
        of_one_kind = not target.exists() or (target.is_file() and not source.is_dir())
    if not of_one_kind:
        raise FileExistsError(errno.EEXIST, "something of another kind is there")
    for each in (*source.rglob("*"), source):
        sync(each)
    retired = None
    if target.is_dir():
        # A folder cannot be replaced by one call: move the old one aside first, so that one of
        # the two always exists under a findable name.
        retired = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
        os.rename(target, retired)
    os.replace(source, target)
    sync(target.parent)
    if retired is not None:
        _remove(retired)


def sync(path: Path) -> None:
    """Have the disk keep what a file holds, or which names a folder has; raises OSError."""
    try:
        handle = os.open(os.fspath(path), os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        # Windows cannot sync folders, and some network and user-space file systems nothing at all.
        if not path.is_dir() and error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # never made: its parent is a file, or the place is read-only
            path.unlink()


def existing_file(path: Path) -> Path:
    """Return `path` if something readable is there. Raises InputFileError: nothing is there, or it
    cannot be read."""
    path = Path(path)
    if not path.exists():
        raise InputFileError(f"{path} does not exist: check the path.")
    if not os.access(path, os.R_OK):
        raise InputFileError(f"{path} cannot be read: check its permissions.")
    return path


def size_in_bytes(path: Path) -> int:
    """Size of a file, or of everything in a folder (`.mlpackage`)."""
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size


def sha256_of(path: Path) -> str:
    """SHA-256, 64 hexadecimal digits, of a file, or of names and contents of all in a folder.
    Raises InputFileError: it is not there or cannot be read."""
    path = existing_file(path)
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for each in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        digest.update(f"{sha256_of(each)} {each.relative_to(path).as_posix()}\n".encode())
    return digest.hexdigest()


def checksum_file(path: Path) -> Path:
    """Where the checksum that a download had is kept, in the form of `sha256sum`."""
    return path.with_name(f"{path.name}.sha256")


def recorded_sha256(path: Path) -> str | None:
    """The checksum in the file beside `path`: None without that file, "" where it holds none."""
    if not checksum_file(path).is_file():
        return None
    with checksum_file(path).open("rb") as file:
        found = re.search(rb"[0-9a-f]{64}", file.read(4096).lower())
    return found[0].decode() if found else ""
