"""Import an optional dependency, or say which extra brings it."""

import importlib
import sys
from types import ModuleType

from .errors import MissingExtraError

WITHOUT_3_14 = ("tflite", "coreml")  # extras whose converters have no wheels for Python 3.14


def require(module: str, *, extra: str) -> ModuleType:
    """Import `module`. Raises MissingExtraError: it is not installed; the message names the extra
    that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if extra in WITHOUT_3_14 and sys.version_info >= (3, 14):
            raise MissingExtraError(
                f"{error.name} has no build for Python 3.14 yet, so '{extra}' is not available "
                "there: use Python 3.11, 3.12 or 3.13."
            ) from error
        raise MissingExtraError(
            f"{error.name} is needed and not installed: run pip install 'ritm-edge[{extra}]'."
        ) from error
