"""Click-based object selection for small devices: train, export, verify and time RITM.

Names are imported on first use, so that a session on ONNX Runtime needs no PyTorch and
`ritm-edge --help` imports nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from .clicks import Click
    from .model.checkpoint import load_checkpoint, save_checkpoint
    from .model.ritm import build_model
    from .runtimes.base import open_runtime
    from .session.interactive import InteractiveSession
    from .weights import default_checkpoint

__all__ = [
    "Click",
    "InteractiveSession",
    "build_model",
    "default_checkpoint",
    "load_checkpoint",
    "open_runtime",
    "save_checkpoint",
]

_HOMES = {
    "Click": ".clicks",
    "InteractiveSession": ".session",
    "build_model": ".model.ritm",
    "default_checkpoint": ".weights",
    "load_checkpoint": ".model.checkpoint",
    "open_runtime": ".runtimes.base",
    "save_checkpoint": ".model.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
