"""Runtimes and records for replaying the published evaluator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ritm_edge.io_spec import CLICKS, IMAGE, MASK, MASK_LOGITS, PREV_MASK, IOSpec
from ritm_edge.session.zoom_in import ZoomIn

from ..golden_files import formula_model, load_arrays
from ..golden_weights import stand_in_network
from ..runtimes import FakeRuntime

# Published names of the settings → arguments of the session.
CONFIGS: dict[str, dict[str, Any]] = {
    "cvpr": {"zoom_in": ZoomIn(400)},
    "cvpr_noflip": {"zoom_in": ZoomIn(400), "flip": False},
    "fixed400": {"zoom_in": ZoomIn((400, 400), skip_clicks=-1)},
    "skipm1": {"zoom_in": ZoomIn(400, skip_clicks=-1)},
    "skip0": {"zoom_in": ZoomIn(400, skip_clicks=0)},
    "nozoom_flip": {"zoom_in": None},
    "nozoom_noflip": {"zoom_in": None, "flip": False},
    "cvpr_limit4": {"zoom_in": ZoomIn(400), "click_limit": 4},
}
IMAGES = ("GrabCut/person1.jpg", "Berkeley/12003.jpg")


class Recorder(FakeRuntime):
    """Counts network calls and keeps what went in."""

    name = label = "recorder"

    def __init__(self) -> None:
        self.calls: list[Mapping[str, NDArray[Any]]] = []


class FakeNetRuntime(Recorder):
    """The golden folder's analytic network behind the runtime interface."""

    spec = IOSpec(max_clicks=None)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        self.calls.append(inputs)
        x = np.concatenate((np.asarray(inputs[IMAGE]) / 255.0, inputs[PREV_MASK]), axis=1)
        logits = stand_in_network(x, inputs[CLICKS])
        mask = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
        return {MASK: mask.astype(np.float32), MASK_LOGITS: logits}


class FormulaRuntime(Recorder):
    """HRNet-18s with the golden folder's weights, as the PyTorch runtime runs it."""

    spec = IOSpec(max_clicks=None)

    def __init__(self) -> None:
        super().__init__()
        self.model = formula_model("h18s")

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        self.calls.append(inputs)
        with torch.inference_mode():
            logits = self.model(
                torch.from_numpy(inputs[IMAGE]) / 255.0,
                torch.from_numpy(inputs[CLICKS]),
                torch.from_numpy(inputs[PREV_MASK]),
            ).mask_logits
            mask = torch.sigmoid(logits)
        return {MASK: mask.numpy(), MASK_LOGITS: logits.numpy()}


class LogitlessRuntime:
    """Hides the logits of another runtime, as artifacts do."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.spec, self.calls = inner, inner.spec, inner.calls

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        return {MASK: self.inner.run(inputs)[MASK]}


class GoldenSample:
    """One photo of the predictor goldens, as decoded pixels."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> tuple[NDArray[Any], NDArray[Any]]:
        arrays = load_arrays("predictor_inputs.npz")
        return arrays[f"{self.name}/image"], arrays[f"{self.name}/gt"].astype(np.int32)
