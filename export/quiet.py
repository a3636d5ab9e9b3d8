"""Keeps converters from writing to the terminal: users can do nothing about their warnings.

Whether the result is right is decided by parity, not by the absence of warnings.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

NOISY_LOGGERS = (
    "root coremltools onnx_ir onnxscript torch.export torch._export torch.onnx torch.utils._pytree"
).split()


@contextmanager
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


@contextmanager
def quiet() -> Iterator[io.StringIO]:
    """As `without_warnings`; what is printed is collected in the text that is given."""
    log = io.StringIO()
    with without_warnings(), redirect_stdout(log), redirect_stderr(log):
        yield log
