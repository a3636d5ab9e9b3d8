"""coremltools, imported when the first .mlpackage is opened, and silent."""

import logging
import sys
import warnings
from types import ModuleType

from ...optional import require

EXTRA = "coreml"


def import_coremltools(module: str = "coremltools") -> ModuleType:
    """Import it or one of its modules without its warnings, and without TensorFlow, which it
    imports only to accept its models: three seconds and a page of log from C++ that no Python
    setting silences. Raises MissingExtraError: it is not installed."""
    absent = object()
    before = sys.modules.get("tensorflow", absent)
    if before is absent and "coremltools" not in sys.modules:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return require(module, extra=EXTRA)
    finally:
        logger.setLevel(level)
        if before is absent and sys.modules.get("tensorflow", absent) is None:
            del sys.modules["tensorflow"]
