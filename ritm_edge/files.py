"""Writing files so that a crash, full disk or power cut never leaves a partial one."""

import codecs
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from .errors import InputFileError, OutputFileError

_MARK = ".ritm-edge-"
# Four characters: a model file may begin with the first, as the low byte of a length.
_WEB_PAGE = re.compile(rb"<[!?a-z][ -~]{2}", re.IGNORECASE)
FULL = 1 << 20  # bytes left


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, since writers choose the format by it. Whatever stood at
    `path` stays untouched until the rename, and after a power cut `path` is the old or the new
    one. Works for files and for folders (`.mlpackage`); a symbolic link stays one. What a killed
    process of this machine left beside `path` is removed.

    Raises:
        OutputFileError: the folder cannot be made or written, the disk is full, or what stands
            there is write-protected or of another kind.
        OSError: as the block raised it, where it is about another file.
    """
    path = Path(path)
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = place.with_name(temporary_name(path.suffix[:20]))
    try:
        make_folder(place.parent)
        if not all(os.access(each, os.W_OK) for each in (place.parent, place) if each.exists()):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        remove_litter(place.parent)
        yield temporary
        move_into_place(temporary, place)
    except OSError as error:
        others = error.filename is not None and not (
            str(error.filename).startswith(str(temporary))
            or Path(str(error.filename)) in (place, *place.parents)
        )
        if others:
            raise
        raise OutputFileError(
            f"cannot write {path}: {error.strerror or error}; choose another place with --output."
        ) from error
    finally:
        _remove(temporary)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for a while, for tools that read and write files only, below the system's folder of
    temporary files; those of killed processes are removed. Raises OutputFileError: it cannot be
    made or written, or is full."""
    parent = folder = None
    try:
        parent = Path(tempfile.gettempdir())
        folder = parent / temporary_name("")
        remove_litter(parent)
        folder.mkdir(mode=0o700)
        yield folder
    except Exception as error:
        reason = None
        if isinstance(error, OSError) and str(error.filename or folder).startswith(str(folder)):
            reason = error.strerror or error
        elif parent and shutil.disk_usage(parent).free < FULL:
            reason = os.strerror(errno.ENOSPC)  # of which a tool tells something else, or nothing
        if reason is None:
            raise
        raise OutputFileError(
            f"cannot write temporary files in {parent or 'any folder'}: {reason}; make room "
            "there, or set TMPDIR to another folder."
        ) from error
    finally:
        if folder is not None:
            _remove(folder)


def temporary_name(suffix: str) -> str:
    """A hidden name that tells which process made it, so that the next one can clear up."""
    return f"{_MARK}{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def remove_litter(folder: Path) -> None:
    """Delete temporary files in `folder` whose process, of this machine, has ended."""
    for each in folder.glob(f"{_MARK}{_machine()}-*"):
        process = each.name.removeprefix(f"{_MARK}{_machine()}-").partition("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            _remove(each)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # where the same call would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is somebody else's
        pass
    return True


@cache
def _machine() -> str:
    """Numbers of processes mean something within a machine or container only, and folders may be
    shared by several."""
    namespace = Path("/proc/self/ns/pid")
    number = namespace.stat().st_ino if namespace.exists() else 0
    return f"{zlib.crc32(f'{platform.node()} {number}'.encode()):08x}"


def write_output(path: Path, content: str | bytes | memoryview) -> None:
    """Write a whole file, text in UTF-8, where half of a surrogate pair (of a file name that is no
    text) is written as its escape; see `atomic_output`."""
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with atomic_output(path) as temporary:
        temporary.write_bytes(data)


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
        # A kill in between leaves both, hidden: this one is not removed as litter.
        retired = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
        os.rename(target, retired)
    os.replace(source, target)
    sync(target.parent)
    if retired is not None:
        os.rename(retired, litter := target.with_name(temporary_name("")))
        _remove(litter)


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
    """Return `path` if a readable file or folder is there. Raises InputFileError: nothing is there,
    it cannot be read, or it is a pipe or device, which might never end."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        address = re.sub(r"^(\w+):/(?=[^/])", r"\1://", str(path))
        if address != str(path):
            raise InputFileError(
                f"{address} is an address: download it, and pass the file."
            ) from error
        raise InputFileError(f"{path} does not exist: check the path.") from error
    except (OSError, ValueError) as error:  # a circle of links, a name too long, a zero byte
        reason = getattr(error, "strerror", None) or error
        raise InputFileError(f"{path} cannot be read ({reason}): check the path.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputFileError(f"{path} is a pipe or a device: pass a file.")
    if not os.access(path, os.R_OK):
        raise InputFileError(f"{path} cannot be read: check its permissions.")
    return path


def read_file(path: Path, *, most: int) -> bytes:
    """The bytes of a file that somebody else made. Raises InputFileError: as `existing_file`; a
    folder, or more than `most` bytes."""
    path = existing_file(path)
    if path.is_dir():
        raise InputFileError(f"{path} is a folder: pass a file.")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror}): pass a file.") from error
    if len(data) > most:
        raise InputFileError(
            f"{path} has more than {most} bytes, which no file of its kind has: pass another file."
        )
    return data


def refuse_stand_in(path: Path, error: type[InputFileError]) -> None:
    """Raise `error` for what a failed download or Git leaves in place of a model file."""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(512).removeprefix(codecs.BOM_UTF8).lstrip()
        if _WEB_PAGE.match(head):
            raise error(
                f"{path} is a web page and not the file itself: open its address in a browser to "
                "see why, and download it again."
            )
        if head.startswith(b"version https://git-lfs"):
            raise error(f"{path} is a pointer of Git LFS, not the file itself: run git lfs pull.")


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
