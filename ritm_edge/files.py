"""Writing files so that a crash or a full disk never leaves half of one."""

import hashlib
import os
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
    `path` stays untouched until the rename. Works for files and for folders (`.mlpackage`).

    Raises:
        OutputFileError: the folder cannot be made or written, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(13, "Permission denied")
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename != str(temporary):
            raise
        raise OutputFileError(
            f"cannot write {path}: {error.strerror or error}; choose another place with --output."
        ) from error
    finally:
        _remove(temporary)


def _replace(source: Path, target: Path) -> None:
    if not target.is_dir():
        os.replace(source, target)
        return
    # A folder cannot be replaced by one call: move the old one aside first, so that one of the
    # two always exists under a findable name.
    retired = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    os.rename(target, retired)
    os.rename(source, target)
    _remove(retired)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # never made: its parent is a file, or the place is read-only
            path.unlink()


def existing_file(path: Path) -> Path:
    """Return `path` if something readable is there.

    Raises:
        InputFileError: nothing is there, or it cannot be read.
    """
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

    Raises:
        InputFileError: it is not there or cannot be read.
    """
    path = existing_file(path)
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for each in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        digest.update(f"{sha256_of(each)} {each.relative_to(path).as_posix()}\n".encode())
    return digest.hexdigest()
