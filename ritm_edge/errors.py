"""Everything a user can do wrong, as types with the exit code of the command.

A message is one sentence: what is wrong, which value, what to do next. Exit code 10 and a
traceback are reserved for bugs of our own.
"""

import errno
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUG = 10  # exit code
# What the system says that no program can do anything about, wherever it happens.
OF_THE_SYSTEM = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EMFILE,
    errno.ENFILE,
}


class DataWarning(UserWarning):
    """A photo that may be damaged, or files that are left out; the work continues."""


def first_line(error: BaseException) -> str:
    """The first line of another library's error, shortened to 160 characters; its type if it
    has no message."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


def raise_own_fault(error: Exception) -> None:
    """Raise an error again that is a bug, not a damaged file: a name that a line of this package
    uses and that does not exist, for example in a new version of a library."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = bool(frames) and Path(frames[-1].filename).is_relative_to(Path(__file__).parent)
    if ours and isinstance(error, AttributeError | NameError | ImportError):
        raise error


@contextmanager
def data_warnings() -> Iterator[list[str]]:
    """Collect the data warnings of a block; the list holds their texts after it."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        yield texts
    for each in caught:
        if each.category is DataWarning:
            texts.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


class RitmEdgeError(Exception):
    """Base of every error that a user can cause."""

    exit_code = 1


class Interrupted(RitmEdgeError):
    """Ctrl-C."""

    exit_code = 130


class UsageError(RitmEdgeError):
    """An argument that cannot be used."""

    exit_code = 2


class ClickError(UsageError):
    """A click outside the image, or more clicks than an artifact has slots for."""


class ShapeError(UsageError):
    """An array or tensor whose shape does not fit the I/O specification."""


class InputFileError(RitmEdgeError):
    """A file that is missing, broken or of another kind."""

    exit_code = 4


class CheckpointError(InputFileError):
    """A checkpoint that is unsafe, broken or belongs to another model."""


class ArtifactError(InputFileError):
    """An exported model file that is broken or does not follow the graph contract."""


class ImageError(InputFileError):
    """A photo or mask that cannot be decoded or is too large."""


class DatasetError(InputFileError):
    """A training set that is not there, or a photo or annotation of it that cannot be used."""


class OutputFileError(RitmEdgeError):
    """A place that cannot be written."""

    exit_code = 5


class MissingExtraError(RitmEdgeError):
    """An optional dependency that is not installed."""

    exit_code = 6


class UnsupportedOperationError(RitmEdgeError):
    """The ML Program evaluator met an operation, type or version it does not implement."""

    exit_code = 7


class ConversionError(RitmEdgeError):
    """A converter could not turn the model into an artifact."""

    exit_code = 8


class ParityError(RitmEdgeError):
    """An artifact whose outputs differ from PyTorch by more than its target allows."""

    exit_code = 3


class TrainingError(RitmEdgeError):
    """A training run that cannot continue: non-finite loss, no data, settings that changed."""

    exit_code = 9


class DownloadError(RitmEdgeError):
    """A download that was refused or interrupted, or whose checksum differs."""

    exit_code = 11


class DeviceError(RitmEdgeError):
    """A browser or phone that cannot be reached, breaks off or does not keep to the protocol."""

    exit_code = 12
