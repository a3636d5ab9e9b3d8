"""Does a graph keep its masks on devices that compute in half precision?

LiteRT's GPU accelerator, WebGPU and neural engines compute in float16 whatever type a file
declares. Here the ONNX graph that a target was made from, with the target's own rewrites, runs as
they would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifacts.info import ArtifactInfo
from ..artifacts.mlprogram.package import Package
from ..data.base import Sample
from ..errors import ParityError
from ..io_spec import IMAGE, MASK, IOSpec
from ..optional import require
from ..runtimes.base import Outputs, Runtime, float32_arrays
from ..runtimes.contract import check_inputs
from ..runtimes.narrowed import NarrowedRuntime
from ..runtimes.onnx import open_session
from .acceptance import CLICKS, mask_agreement
from .half_graph import FINITE, HalfMode, half_graph

GATE_MODE = HalfMode.FLUSHED
MIN_MASK_IOU = {HalfMode.RESULTS: 0.97, HalfMode.FLUSHED: 0.97, HalfMode.STORAGE: 0.99}
MAX_LOSS = 0.25  # of a tensor's root mean square; a click moved by rounding takes up to 0.2
TENSOR_PIXELS = 60 * 400 * 400  # of the tensors that are compared at a time


@dataclass(frozen=True)
class HalfReport:
    """What one mode of emulation found.

    Attributes:
        mode: what was emulated.
        mask_iou: number of clicks → lowest IoU with the float32 mask over the objects.
        min_mask_iou: the limit.
        finite: no value inside was infinite or NaN.
        first_loss: the first tensor that half precision spoils, by its name in the ONNX graph and
            the operation that writes it; empty where there is none, or nobody looked.
    """

    mode: str
    mask_iou: dict[int, float]
    min_mask_iou: float
    finite: bool
    first_loss: str = ""

    @property
    def passed(self) -> bool:
        return self.finite and min(self.mask_iou.values()) >= self.min_mask_iou

    @property
    def reason(self) -> str:
        """Why it did not pass; empty where it did."""
        if self.passed:
            return ""
        if not self.finite:
            return self.first_loss
        lowest = min(self.mask_iou.values())
        first = f"; {self.first_loss} first" if self.first_loss else ""
        return f"mask IoU {lowest:.3f} with float32, limit {self.min_mask_iou}{first}"

    def summary(self) -> dict[str, Any]:
        """Plain values for the artifact's metadata."""
        return {
            "safe": self.passed,
            "mode": self.mode,
            "reason": self.reason,
            "mask_iou_after_clicks": {str(n): value for n, value in self.mask_iou.items()},
        }

    def as_dict(self) -> dict[str, Any]:
        limits = {"min_mask_iou": self.min_mask_iou, "first_loss": self.first_loss}
        return self.summary() | limits

    def require_passed(self, name: str) -> None:
        """Raise unless half precision keeps the masks.

        Raises:
            ParityError: names the reason.
        """
        if not self.passed:
            raise ParityError(
                f"{name} is not safe in half precision ({self.mode}): {self.reason}: let it run in "
                "float32 there, or export it again without --no-rewrites."
            )


class EmulatedDevice:
    """A `Runtime` that computes in half precision, on ONNX Runtime.

    Attributes: as `Runtime`, and
        finite: whether all values of all runs so far were.
        last_inputs: those of the last run.
    """

    name = "half precision"
    info: ArtifactInfo | None = None
    sha256 = "0" * 64
    source: Any = None

    def __init__(self, model: Any, spec: IOSpec, mode: HalfMode) -> None:
        """Take an ONNX `ModelProto`; it is not changed."""
        self.engine: str | None = str(mode)
        self.spec, self.mode, self.label = spec, mode, f"{self.name} ({mode})"
        self._model = model
        half, self._watched = half_graph(model, mode)
        self._session = open_session(half.SerializeToString())
        self.finite = True
        self.last_inputs: dict[str, NDArray[np.float32]] = {}

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`; a result that is no probability is returned as it is."""
        self.last_inputs = float32_arrays(check_inputs(self.spec, inputs))
        mask, finite = self._session.run([MASK, FINITE], self.last_inputs)
        self.finite &= bool(np.isfinite(finite).all())
        return {MASK: mask}

    def close(self) -> None:
        """Nothing is held open."""

    def first_loss(self, max_loss: float = MAX_LOSS) -> str:
        """The first tensor of the last run that overflows, turns NaN, or differs from float32 by
        more than `max_loss`: root mean square of the difference by the tensor's own. Empty where
        there is none."""
        onnx = require("onnx", extra="onnx")
        half, watched = half_graph(self._model, self.mode)
        pair = []
        for graph in (self._model, half):
            copy = type(graph).FromString(graph.SerializeToString())
            known = {value.name for value in copy.graph.output}
            copy.graph.output.extend(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
                for name in watched
                if name not in known
            )
            pair.append(open_session(copy.SerializeToString()))
        writers = {name: node.op_type for node in self._model.graph.node for name in node.output}
        height, width = self.last_inputs[IMAGE].shape[2:]
        step = max(1, TENSOR_PIXELS // (height * width))
        for start in range(0, len(watched), step):
            names = watched[start : start + step]
            arrays = (session.run(names, self.last_inputs) for session in pair)
            for name, exact, rounded in zip(names, *arrays, strict=True):
                problem = _problem(exact, rounded, max_loss)
                if problem:
                    return f"{writers[name]} '{name}' {problem}"
        return ""


class EmulatedProgram(EmulatedDevice):
    """An ML Program, every result rounded by our evaluator instead; sums stay float32."""

    def __init__(self, package: Package, spec: IOSpec) -> None:
        """Take an opened .mlpackage."""
        self.engine, self.spec, self.mode = "ML Program", spec, HalfMode.STORAGE
        self.label = f"{self.name} (ML Program)"
        require("torch", extra="torch")
        from ..artifacts.mlprogram.evaluator import Program

        self._program = Program(package)

    @property
    def finite(self) -> bool:  # type: ignore[override]
        return self._program.not_finite is None

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`; a result that is no probability is returned as it is."""
        arrays = float32_arrays(check_inputs(self.spec, inputs))
        return {MASK: self._program.run(arrays, half=True)[MASK]}

    def first_loss(self, max_loss: float = MAX_LOSS) -> str:  # noqa: ARG002
        """The first value that is infinite or NaN; shares are not measured here."""
        name = self._program.not_finite
        return "" if name is None else f"{name} is not finite"


def _problem(exact: NDArray[np.float32], rounded: NDArray[np.float32], max_loss: float) -> str:
    if np.isnan(rounded).any():
        return "turns NaN"
    if np.isinf(rounded).any():
        return "overflows"
    exact = exact.astype(np.float64)
    size = np.sqrt(np.mean(exact**2))
    share = np.sqrt(np.mean((rounded - exact) ** 2)) / size if size else 0.0
    return f"loses {share:.0%} of its root mean square" if share > max_loss else ""


def judge(
    device: EmulatedDevice,
    reference: Runtime,
    samples: Sequence[Sample],
    *,
    max_loss: float | None = None,
    clicks: Sequence[int] = CLICKS,
) -> HalfReport:
    """Compare masks of a simulated user's clicks with float32's.

    Args:
        device: what is emulated.
        reference: float32, any size.
        samples: photos with known objects.
        max_loss: name the first tensor that loses a larger share even where all passes; None looks
            for one only where something fails.
        clicks: after how many of them masks are compared.
    """
    spec, mode = device.spec, device.mode
    counts = sorted({min(n, spec.max_clicks or n) for n in clicks})
    narrowed = NarrowedRuntime(reference, spec)
    rows = [mask_agreement(device, narrowed, sample, counts, flip=False) for sample in samples]
    lowest = {n: float(np.min([row[i] for row in rows])) for i, n in enumerate(counts)}
    name = str(device.engine)
    report = HalfReport(name, lowest, MIN_MASK_IOU[mode], device.finite)
    if max_loss is None and report.passed:
        return report
    loss = MAX_LOSS if max_loss is None else max_loss
    return replace(report, first_loss=device.first_loss(loss))
