"""Keeps engines that have no switch for it from writing to standard error."""

import contextlib
import os
from collections.abc import Iterator
from threading import Lock

# The switch is the process's, which two threads must not turn at once.
_TURN = Lock()


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Drop what native code writes meanwhile, also through Python; other threads that ask for it
    wait."""
    with _TURN, open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        try:
            kept = os.dup(2)
        except OSError:  # no stderr, nothing to silence
            yield
            return
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
