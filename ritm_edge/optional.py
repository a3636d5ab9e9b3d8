"""Import an optional dependency, or say which extra brings it."""

import importlib
from types import ModuleType

from .errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import `module`.

    Raises:
        MissingExtraError: it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is needed and not installed: run pip install 'ritm-edge[{extra}]'."
        ) from error
