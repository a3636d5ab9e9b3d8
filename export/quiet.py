"""Keeps converters from writing to the terminal: users can do nothing about their warnings.

Whether the result is right is decided by parity, not by the absence of warnings.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from ritm_edge.runtimes.silence import without_warnings


@contextmanager
def quiet() -> Iterator[io.StringIO]:
    """As `without_warnings`; what is printed is collected in the text that is given."""
    log = io.StringIO()
    with without_warnings(), redirect_stdout(log), redirect_stderr(log):
        yield log
