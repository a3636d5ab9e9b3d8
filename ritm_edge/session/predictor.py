"""One pass of the network over what a view shows, with flip averaging; remembers nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click, pack_clicks
from ..io_spec import CLICKS, IMAGE, MASK, MASK_LOGITS, PREV_MASK, IOSpec
from ..runtimes.base import Outputs, Runtime
from .view import mirrored

# Probabilities are float32: closer to 0 or 1 a logit cannot be told from its neighbours.
SATURATION = 1e-7


def predict(
    runtime: Runtime,
    image: NDArray[np.float32],
    prev_mask: NDArray[np.float32],
    clicks: Sequence[Click],
    *,
    flip: bool = True,
    click_limit: int | None = None,
) -> NDArray[np.float32]:
    """Probabilities [h, w] at network size.

    Args:
        runtime: any; it gets `prev_mask` only where its graph has that input.
        image: float32 [h, w, 3], RGB in 0…255, at network size.
        prev_mask: float32 [h, w], probabilities.
        clicks: in network pixels, in click order.
        flip: average the logits with those of the mirrored input (a second run).
        click_limit: how many clicks, from the first, the network sees; None gives all.

    Raises:
        ClickError: more clicks of one sign than the graph has slots; nothing was run.
    """
    packed = _packed(clicks, runtime.spec, click_limit)
    if not flip:
        return np.asarray(_run(runtime, image, prev_mask, packed)[MASK][0, 0])
    width = image.shape[1]
    packed_mirror = _packed([mirrored(c, width) for c in clicks], runtime.spec, click_limit)
    straight = _run(runtime, image, prev_mask, packed)
    mirror = _run(runtime, image[:, ::-1], prev_mask[:, ::-1], packed_mirror)
    return mean_probabilities(straight, mirror)


def mean_probabilities(straight: Outputs, mirror: Outputs) -> NDArray[np.float32]:
    """Probabilities [h, w] of the mean of the logits of one input and of its mirror image."""
    mean = 0.5 * (_logits(straight) + _logits(mirror)[:, ::-1])
    with np.errstate(over="ignore"):  # exp(−mean) → ∞ gives the right probability, 0
        return (1.0 / (1.0 + np.exp(-mean.astype(np.float64)))).astype(np.float32)


def _packed(clicks: Sequence[Click], spec: IOSpec, click_limit: int | None) -> NDArray[np.float64]:
    return pack_clicks(clicks[:click_limit], max_clicks=visible_slots(clicks, spec, click_limit))


def visible_slots(clicks: Sequence[Click], spec: IOSpec, click_limit: int | None) -> int | None:
    """Slots per sign of the graph; of a graph of any number those that the published code takes."""
    if spec.max_clicks is not None or click_limit is None:
        return spec.max_clicks
    # Published: the slots are counted before the limit cuts the clicks.
    positive = sum(click.positive for click in clicks)
    return max(1, min(click_limit, max(positive, len(clicks) - positive)))


def _run(
    runtime: Runtime,
    image: NDArray[np.float32],
    prev_mask: NDArray[np.float32],
    packed: NDArray[np.float64],
) -> Outputs:
    # Copies: NumPy calls a mirrored array of one column contiguous, which PyTorch refuses.
    inputs: dict[str, NDArray[np.generic]] = {
        IMAGE: image.transpose(2, 0, 1)[None].copy(),
        CLICKS: packed,
    }
    if runtime.spec.prev_mask:
        inputs[PREV_MASK] = prev_mask[None, None].copy()
    return runtime.run(inputs)


def _logits(outputs: Outputs) -> NDArray[np.float32 | np.float64]:
    if MASK_LOGITS in outputs:
        return np.asarray(outputs[MASK_LOGITS][0, 0])
    mask = outputs[MASK][0, 0].astype(np.float64)
    mask = np.clip(mask, SATURATION, 1.0 - SATURATION)
    logits: NDArray[np.float64] = np.log(mask / (1.0 - mask))
    return logits
