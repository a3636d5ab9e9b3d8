"""What can be wrong with an ML Program, raised deep inside and named with its file outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ArtifactError, UnsupportedOperationError


class FormatError(ValueError):
    """The file contradicts its format or itself; the text completes "… cannot be used: "."""


class UnsupportedError(NotImplementedError):
    """Something valid that the evaluator lacks; the text completes "… needs "."""


@contextmanager
def problems_of(path: Path) -> Iterator[None]:
    """Name the file in whatever goes wrong inside the block. Raises ArtifactError: for a
    `FormatError` or a file that cannot be read; UnsupportedOperationError: for an
    `UnsupportedError`."""
    try:
        yield
    except FormatError as error:
        raise ArtifactError(f"{path} cannot be used: {error}; export it again.") from error
    except UnsupportedError as error:
        raise UnsupportedOperationError(
            f"{path} needs {error}, which the reference evaluator does not implement: run it "
            "with Core ML on macOS."
        ) from error
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror or error}): copy or export it again."
        ) from error
