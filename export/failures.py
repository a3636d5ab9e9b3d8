"""Failures of converters, which can be exceptions of any kind, as one sentence of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from ritm_edge.errors import ConversionError, RitmEdgeError, first_line


@contextmanager
def explained(what: str, versions: str) -> Iterator[None]:
    """Raise ConversionError "`what` (the reason): check that `versions` of constraints.txt." for
    whatever the block raises but errors of ours."""
    try:
        yield
    except RitmEdgeError:
        raise
    except Exception as error:
        raise ConversionError(
            f"{what} ({type(error).__name__}: {first_line(error)}): check that {versions} of "
            "constraints.txt."
        ) from error
