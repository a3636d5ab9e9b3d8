"""Keeps engines and converters that have no switch for it from writing to the terminal."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from threading import Lock

# The switch is the process's, which two threads must not turn at once.
_TURN = Lock()
NOISY_LOGGERS = (
    "root coremltools onnx_ir onnxscript torch.export torch._export torch.onnx torch.utils._pytree"
).split()


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Nothing below a critical message reaches a log; prints do."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in NOISY_LOGGERS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in loggers.items():
                logger.setLevel(level)


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
