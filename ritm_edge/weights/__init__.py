"""The embedded default weights; `MODEL_CARD.md` beside this file says what they are."""

from pathlib import Path

from ..errors import UsageError

EMBEDDED_MODEL = "hrnet18s"


def default_checkpoint() -> Path:
    """Path of the embedded HRNet-18s weights (half precision, widened on load)."""
    return Path(__file__).parent / f"{EMBEDDED_MODEL}.safetensors"


def embedded_checkpoint(model: str | None = None) -> Path:
    """The embedded weights for a model name; None means whichever there are.

    Raises:
        UsageError: no weights of that model are embedded.
    """
    if model not in (None, EMBEDDED_MODEL):
        raise UsageError(
            f"no weights of {model} are embedded, only of {EMBEDDED_MODEL}: pass --checkpoint FILE."
        )
    return default_checkpoint()
