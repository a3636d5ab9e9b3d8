"""Precisions below float32: what a target offers, and what a user asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ritm_edge.artifacts.info import Precision
from ritm_edge.data import Benchmark
from ritm_edge.data.base import Sample
from ritm_edge.errors import UsageError
from ritm_edge.verification.acceptance import TaskTolerance

from .export_input import Convert

FP16_TASK = TaskTolerance(
    max_noc_increase=0.02,
    min_mask_iou=0.99,
    reason="weights keep 11 bits, and their rounding moves only pixels at the threshold",
)
INT8_TASK = TaskTolerance(
    max_noc_increase=0.15,
    min_mask_iou=0.90,
    reason="8 bits move uncertain borders, and each mask depends on the one before",
)


@dataclass(frozen=True)
class ReducedPrecision:
    """One precision of one target.

    Attributes:
        tolerance: how much worse than float32 at the task it may be, and why.
        calibrated: whether `convert` needs recorded inputs.
        keep_float: layers that stay out of int8 by default: cheap to run, and measured to be
            the sensitive ones.
        any_size: whether `convert` can leave height and width open.
        rewrites: names of the exact rewrites that go before it.
    """

    convert: Convert
    tolerance: TaskTolerance
    calibrated: bool = False
    keep_float: tuple[str, ...] = ()
    any_size: bool = False
    rewrites: tuple[str, ...] = ()


@dataclass(frozen=True)
class PrecisionOptions:
    """What a user asks of a reduced precision.

    Attributes:
        calibration: folder of photos and label maps; None is the embedded sample photo.
        keep_float: instead of the precision's own list; None keeps that.
        samples: photos with known objects to judge masks on; empty is the embedded sample photo.
        benchmark: to count clicks on.
        accept_loss: keep an artifact that misses its tolerance.
    """

    calibration: Path | None = None
    keep_float: tuple[str, ...] | None = None
    samples: Sequence[Sample] = ()
    benchmark: Benchmark | None = None
    accept_loss: bool = False

    def check(self, precision: str) -> None:
        """Refuse what does nothing at a precision. Raises UsageError: names the option."""
        idle = {
            "--keep-float": self.keep_float is not None
            and precision not in (Precision.INT8, Precision.INT8_DYNAMIC),
            "--data": self.benchmark is not None and precision == Precision.FP32,
            "--accept-loss": self.accept_loss and precision == Precision.FP32,
        }
        for option, is_idle in idle.items():
            if is_idle:
                raise UsageError(f"{option} does nothing at {precision}: leave it out.")
