"""Backpropagating refinement: the network's answer is bent, at every click, until the clicks hold.

f-BRS-A, -B and -C (arXiv:2001.10331) scale and shift the channels of features inside the network;
RGB-BRS and DistMap-BRS (the latter as in BRS, CVPR 2019) add a map to the photo or to the click
maps. Zoom-in and everything else follow the published protocol. They need gradients, so they run
checkpoints with PyTorch only.

Where the published evaluator ends with an error or goes on with features of another crop, because
the prediction vanished and the crop with it, features are computed anew and maps start at zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..clicks import Click, pack_clicks
from ..errors import UsageError
from ..model.layers import resize
from ..model.ritm import RitmModel
from ..runtimes.base import Runtime
from ..runtimes.pytorch import PytorchRuntime
from ..session import published_protocol
from ..session.predictor import visible_slots
from ..session.state import Mask, Photo, Positions, Probabilities, SessionConfig, State
from ..session.zoom_in import Roi
from .base import REFINING
from .insertion import Insertion, Place, insertion
from .refinement import Refinement, RefinementSettings, click_squares, with_mirrored

BIAS_FACTOR = 10
# How many clicks, from the first, the network itself sees.
CLICK_LIMITS = {"f-brs": 8, "rgb-brs": 5, "distmap-brs": 5}


@dataclass(frozen=True)
class Memory:
    """What a click leaves for the next one.

    Attributes:
        unknowns: float64 [N]; None before the first refinement.
        roi: the crop that the zoom-in had stored, and `size`, (h, w) of the network input.
        inserted: features of f-BRS and the rest of the network behind them.
    """

    unknowns: NDArray[np.float64] | None
    roi: Roi | None
    size: tuple[int, int]
    inserted: Insertion | None = None


@dataclass(frozen=True)
class Inputs:
    """One click as the network gets it: the batch is the crop, and with flip its mirror image."""

    rgb: Tensor
    previous: Tensor
    clicks: Tensor
    squares: tuple[Tensor, Tensor]


class BrsProtocol:
    """A `SessionProtocol` in which one of the methods answers. Raises UsageError: an unknown
    method, or a runtime that computes no gradients."""

    def __init__(self, method: str, runtime: Runtime) -> None:
        if method not in REFINING:
            raise UsageError(f"unknown method '{method}': choose one of {', '.join(REFINING)}.")
        if not isinstance(runtime, PytorchRuntime):
            raise UsageError(
                f"{runtime.label} is an exported file and {method} needs gradients, which no "
                "exported graph computes: pass its checkpoint."
            )
        self.method = method
        self.model: RitmModel = runtime.model
        if method.startswith("f-brs"):
            with torch.inference_mode():  # says at once that there is no such place
                tiny = torch.zeros(1, 3, 32, 32)
                maps = torch.zeros(1, 3 if self.model.config.prev_mask else 2, 32, 32)
                insertion(self.model, self._place, tiny, maps)

    @property
    def click_limit(self) -> int:
        """The published number of clicks that the network sees."""
        return CLICK_LIMITS["f-brs" if self.method.startswith("f-brs") else self.method]

    @property
    def _place(self) -> Place:
        return cast(Place, self.method[-1])

    def begin(self, config: SessionConfig, photo: Photo, given: Probabilities) -> State:
        """See `SessionProtocol`."""
        return published_protocol.begin(config, photo, given)

    def advance(
        self, config: SessionConfig, photo: Photo, state: State, clicks: tuple[Click, ...]
    ) -> State:
        """See `SessionProtocol`."""
        memory = state.memory if isinstance(state.memory, Memory) else None
        left: list[Memory] = []

        def answer(
            image: NDArray[np.float32],
            previous: Probabilities,
            seen: Sequence[Click],
            roi: Roi | None,
        ) -> Probabilities:
            found, kept = self._answer(config, image, previous, seen, roi, memory)
            left.append(kept)
            return found

        result = published_protocol.advance(replace(config, answer=answer), photo, state, clicks)
        return replace(result, memory=left[-1])

    def probabilities(self, config: SessionConfig, photo: Photo, state: State) -> Probabilities:
        """See `SessionProtocol`."""
        return published_protocol.probabilities(config, photo, state)

    def mask_at(self, config: SessionConfig, photo: Photo, state: State, at: Positions) -> Mask:
        """See `SessionProtocol`."""
        return published_protocol.mask_at(config, photo, state, at)

    def _answer(
        self,
        config: SessionConfig,
        image: NDArray[np.float32],
        previous: Probabilities,
        clicks: Sequence[Click],
        roi: Roi | None,
        memory: Memory | None,
    ) -> tuple[Probabilities, Memory]:
        limit = self.click_limit if config.click_limit is None else config.click_limit
        inputs = self._inputs(config, image, previous, clicks, limit)
        size = (image.shape[0], image.shape[1])
        same_crop = memory is not None and (memory.roi, memory.size) == (roi, size)
        inserted, unknowns = None, None
        if memory is not None and (same_crop or self.method.startswith("f-brs")):
            unknowns = memory.unknowns
        if self.method.startswith("f-brs"):
            # Published: beyond the limit not even the new previous mask reaches the network.
            if len(clicks) > limit and same_crop and memory is not None:
                inserted = memory.inserted
            inserted = inserted or self._insert(inputs)
            logits_of, penalty, count = _channelwise(inserted, size)
        else:
            logits_of, penalty, count = self._pixelwise(inputs, size)
        if len(clicks) < 2:
            with torch.inference_mode():
                logits = logits_of(torch.zeros(count))
        else:
            settings = RefinementSettings(threshold=config.threshold)
            refinement = Refinement(logits_of, penalty, *inputs.squares, settings)
            start = np.zeros(count) if unknowns is None else unknowns
            unknowns = refinement.minimise(start)
            assert refinement.best_logits is not None
            logits = refinement.best_logits
        mean = logits[0, 0]
        if len(logits) == 2:
            mean = 0.5 * (logits[0, 0] + logits[1, 0].flip(1))
        # Before the limit nobody reads the features again, and a history would keep them all.
        kept = inserted if len(clicks) >= limit else None
        return torch.sigmoid(mean).numpy(), Memory(unknowns, roi, size, kept)

    def _inputs(
        self,
        config: SessionConfig,
        image: NDArray[np.float32],
        previous: Probabilities,
        clicks: Sequence[Click],
        limit: int,
    ) -> Inputs:
        height, width = image.shape[:2]
        model = self.model
        rgb = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()) / 255.0
        mask = torch.from_numpy(np.asarray(previous, np.float32)[None, None].copy())
        sides = with_mirrored(clicks, width, flip=config.flip)
        slots = visible_slots(clicks, config.runtime.spec, limit)
        packed = [pack_clicks(each[:limit], max_clicks=slots) for each in sides]
        squares = click_squares(clicks, (height, width), flip=config.flip)
        if config.flip:
            rgb, mask = (torch.cat((each, each.flip(3))) for each in (rgb, mask))
        maps = model.encode_clicks(torch.from_numpy(np.concatenate(packed)), height, width)
        return Inputs((rgb - model.mean) / model.std, mask, maps.to(torch.float32), squares)

    def _maps(self, previous: Tensor, clicks: Tensor) -> Tensor:
        return torch.cat((previous, clicks), dim=1) if self.model.config.prev_mask else clicks

    def _insert(self, inputs: Inputs) -> Insertion:
        with torch.no_grad():
            maps = self._maps(inputs.previous, inputs.clicks)
            return insertion(self.model, self._place, inputs.rgb, maps)

    def _pixelwise(
        self, inputs: Inputs, size: tuple[int, int]
    ) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], int]:
        """The network by the map that is added to its input, the penalty, and its values."""
        on_photo = self.method == "rgb-brs"
        channels = 3 if on_photo else 2
        batch = len(inputs.rgb)

        def added(unknowns: Tensor) -> Tensor:
            one = unknowns.view(1, channels, *size)
            return torch.cat((one, one.flip(3))) if batch == 2 else one

        def logits_of(unknowns: Tensor) -> Tensor:
            more = added(unknowns)
            rgb = inputs.rgb + more if on_photo else inputs.rgb
            clicks = inputs.clicks if on_photo else inputs.clicks + more
            return self.model.segment(rgb, self._maps(inputs.previous, clicks)).mask_logits

        # Published: counted once more for the mirrored copy.
        return logits_of, lambda x: batch * (x * x).sum(), channels * size[0] * size[1]


def _channelwise(
    inserted: Insertion, size: tuple[int, int]
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], int]:
    """The rest of the network by scale and bias of each channel, the penalty, and how many."""
    channels = inserted.features.shape[1]

    def logits_of(unknowns: Tensor) -> Tensor:
        scale, bias = unknowns.view(2, 1, channels, 1, 1)
        logits = inserted.rest((1.0 + scale) * inserted.features + bias)
        return resize(logits, size)

    def penalty(unknowns: Tensor) -> Tensor:
        squares = unknowns * unknowns
        return squares[:channels].sum() + BIAS_FACTOR * squares[channels:].sum()

    return logits_of, penalty, 2 * channels
