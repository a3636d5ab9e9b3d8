"""coremltools, imported when the first .mlpackage is opened, and silent."""

import logging
import sys
import warnings
from types import ModuleType

from ...optional import require

EXTRA = "coreml"
UNUSED = ("tensorflow", "torchao")  # which it imports only to accept their models


def import_coremltools(module: str = "coremltools") -> ModuleType:
    """Import it or one of its modules without its warnings, and without what it imports but does
    not need here: seconds, and a page of log that no Python setting silences. Raises
    MissingExtraError: it is not installed."""
    hidden = [] if "coremltools" in sys.modules else [n for n in UNUSED if n not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return require(module, extra=EXTRA)
    finally:
        logger.setLevel(level)
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
