"""Results of browsers and accelerators; see `results`."""

from typing import Literal

from pydantic import Field

from .result_values import Count, Machine, Measured, Share, Time, Values


class CheckedNetwork(Values):
    runs: Count
    max_abs: float
    min_mask_iou: Share
    median_ms: Time


class CheckedSession(Values):
    pixels: Count
    differing_pixels: Count


class BrowserCheck(Measured):
    """What the page at /check/ saves; see docs/web.md."""

    kind: Literal["ritm-edge browser check"]
    passed: bool
    model: str
    precision: str
    engine: str
    threads: Count
    user_agent: str
    network: CheckedNetwork
    session: CheckedSession


class EmulatedMode(Values):
    """One mode of `verify --emulate`; see `verification.half_precision`."""

    mode: str
    safe: bool
    reason: str
    mask_iou_after_clicks: dict[str, float]
    min_mask_iou: float


class Accelerator(Values):
    """One engine of `verify --delegates`; see `verification.delegates`."""

    engine: str
    taken: Count | None
    operations: Count
    partitions: Count | None
    refused: list[str]


class AcceleratorResults(Values):
    """What `verify --emulate` and `verify --delegates` print with `--json`."""

    kind: Literal["ritm-edge accelerators"]
    artifact: str
    modes: list[EmulatedMode] = Field(default_factory=list)
    delegates: list[Accelerator] = Field(default_factory=list)
    machine: Machine = Machine()
    versions: dict[str, str] = Field(default_factory=dict)
