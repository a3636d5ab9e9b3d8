"""The embedded weights; MODEL_CARD.md beside this file describes them."""

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError

DEFAULT_MODEL = "hrnet18s"
EMBEDDED_MODELS = (DEFAULT_MODEL, "lite0")
_FOLDER = Path(__file__).parent
SHIPPED_ARTIFACT = _FOLDER / "lite0-400x400-int8.tflite"  # `make shipped`; with session graphs


def default_checkpoint(model: str = DEFAULT_MODEL) -> Path:
    """Path of the embedded weights of a model (half precision, widened on load). Raises UsageError:
    no weights of that model are embedded."""
    if model not in EMBEDDED_MODELS:
        raise UsageError(
            f"no weights of {model} are embedded, only of {' and '.join(EMBEDDED_MODELS)}: pass "
            "--checkpoint FILE."
        )
    return _FOLDER / f"{model}.safetensors"


def checkpoint_path(given: Path | None, *, model: str | None = None) -> Path:
    """What a user means by a checkpoint: a file, or the name of an embedded model; None takes the
    embedded weights of `model`, or the default ones. Raises UsageError: nothing is given and no
    weights of `model` are embedded."""
    if given is None:
        return default_checkpoint(model or DEFAULT_MODEL)
    return default_checkpoint(str(given)) if str(given) in EMBEDDED_MODELS else given


def measured_figures() -> dict[str, Any]:
    """What was measured of the embedded weights, in the file that `make tables` writes: "noc":
    model → benchmark → mean clicks to IoU 0.90 with the published protocol; "macs": model →
    multiply-accumulates of a click at 400×400."""
    figures: dict[str, Any] = json.loads((_FOLDER / "figures.json").read_text(encoding="utf-8"))
    return figures
