"""An artifact whose session graphs NumPy computes, and the loops of docs/session.md."""

import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ritm_edge.artifacts.info import ArtifactInfo
from ritm_edge.export.session_graphs.steps import StepSettings, all_steps
from ritm_edge.io_spec import MASK, IOSpec
from ritm_edge.runtimes.step_contract import step_contract
from ritm_edge.session.fit import Fit
from ritm_edge.session.geometry import NUMPY
from ritm_edge.verification.session_check import made_output

from ..paths import ROOT
from ..runtimes import FakeRuntime

SPEC = IOSpec(48, 64, max_clicks=4)
XP = SimpleNamespace(
    **vars(NUMPY), flip=np.flip, integer=lambda x: x.astype(np.int32),
    byte=lambda x: x.astype(np.uint8),
    channels_first=lambda x: x.transpose(2, 0, 1),
)  # fmt: skip
Step = Callable[[str, Mapping[str, Any]], dict[str, Any]]


class MadeNetwork(FakeRuntime):
    """An artifact whose session graphs NumPy computes and whose network makes something up.

    The answer depends on nothing but the inputs, so that two sessions get the same.
    """

    def __init__(self, fit: Fit = "context", spec: IOSpec = SPEC) -> None:
        self.spec, self.settings = spec, StepSettings(spec, 0.49, fit)
        self.steps = step_contract(spec) if spec.size else {}
        self.info = ArtifactInfo({"name": "tiny"}, spec, "onnx", "fp32", "0" * 64)
        self.info.__dict__["session"] = {**self.settings.facts, "screen_rows": 70,
                                         "screen_columns": 90, "files": {}}  # fmt: skip

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        rough = np.round(np.sum(np.float64(inputs["clicks"])) * 16 + inputs["image"].sum() / 999)
        rng = np.random.default_rng(int(abs(rough)))
        assert self.spec.size is not None
        return {MASK: made_output(rng, self.spec.size)[None, None]}

    def step(self, name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
        return self.as_step(name, arrays, screen={"rows": 70, "columns": 90})

    def as_step(
        self, name: str, arrays: Mapping[str, Any], screen: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """As the loops call it: screens of any length, the network among the graphs."""
        if name == "network":
            return self.run(arrays)
        step = all_steps(self.settings)[name]
        for tensor, (kind, shape) in step.inputs.items():
            given, lengths = arrays[tensor], screen or {}
            expected = tuple(lengths.get(n, len(given)) if isinstance(n, str) else n for n in shape)
            assert (given.dtype, given.shape) == (np.dtype(kind), expected), (name, tensor)
        found = step.compute(XP, self.settings, dict(arrays))
        return dict(zip(step.outputs, (np.asarray(each) for each in found), strict=True))


def code(language: str) -> str:
    text = (ROOT / "docs" / "session.md").read_text()
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)
