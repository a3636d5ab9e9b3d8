"""The published evaluation loop on any runtime: IoU after each simulated click."""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..data.base import Sample, Truth
from ..errors import UsageError
from ..io_spec import MASK_THRESHOLD
from ..methods.base import CLASSICAL, ClickMethod, check_method
from ..methods.seeds import SeedMethod
from ..runtimes.base import Runtime
from ..session.fit import DEFAULT_FIT, Fit
from ..session.interactive import DEFAULT_ZOOM_IN, InteractiveSession, Protocol
from ..session.state import SessionProtocol
from ..session.zoom_in import ZoomIn
from .damaged_mask import damaged_mask
from .metrics import iou
from .simulator import next_click, parse_user

# Above every IoU: all clicks are made, as the published evaluation does to draw IoU curves.
NEVER_STOP = 1.01


@dataclass(frozen=True)
class EvaluationSettings:
    """How samples are evaluated; the defaults are the published ones, without early stop.

    Attributes:
        max_clicks: per sample.
        min_clicks: made even if the target is reached earlier.
        target_iou: a sample ends once its IoU (double precision) is at least this.
        zoom_in: None shows the network the whole image.
        flip: average with the mirrored image.
        threshold: a pixel is selected above this probability.
        click_limit: how many clicks, from the first, the network sees; None gives it all.
        fit: how crops are shown to a graph of fixed size, see `ritm_edge.session.fit`.
        start_iou: start from a mask damaged to this IoU (`damaged_mask`) instead of from nothing.
            The session then follows the app protocol, since the published one shows the network
            the external mask at every click and never its own.
        protocol: of the session, see `InteractiveSession`; what apps get is "app".
        method: what answers in place of a pass of the network, see `ritm_edge.methods`.
        user: who clicks, see `simulator.parse_user`; None is the published user.
        user_seed: of what is random about that user.

    Raises:
        UsageError: no clicks to make.
    """

    max_clicks: int = 20
    min_clicks: int = 1
    target_iou: float = NEVER_STOP
    zoom_in: ZoomIn | None = DEFAULT_ZOOM_IN
    flip: bool = True
    threshold: float = MASK_THRESHOLD
    click_limit: int | None = None
    fit: Fit = DEFAULT_FIT
    start_iou: float | None = None
    protocol: Protocol = "published"
    method: str | None = None
    user: str | None = None
    user_seed: int = 0

    def __post_init__(self) -> None:
        if self.max_clicks < 1:
            raise UsageError(f"{self.max_clicks} clicks per sample: allow at least 1.")
        if self.method is not None:
            check_method(self.method)
        if self.user is not None:
            parse_user(self.user)


@dataclass(frozen=True)
class SampleResult:
    """What happened on one sample: clicks in order, in image pixels; the IoU after each, float32
    [clicks], NaN without any object; seconds, with decoding, click search and IoU, as published;
    and the process's high-water mark of memory, if it was measured."""

    name: str
    clicks: tuple[Click, ...]
    ious: NDArray[np.float32]
    seconds: float
    peak_memory_bytes: int | None = None


Observer = Callable[[InteractiveSession, float], None]


def begin_session(
    runtime: Runtime,
    settings: EvaluationSettings,
    image: NDArray[np.uint8],
    truth: Truth,
    *,
    name: str,
) -> InteractiveSession:
    """A session on one sample before its first click; arrays as `Sample.load` gives them. Raises
    UsageError: a method that this runtime cannot compute."""
    corrects = settings.start_iou is not None and settings.protocol == "published"
    protocol: Protocol | SessionProtocol = "app" if corrects else settings.protocol
    if settings.method is not None:
        from ..methods.brs import BrsProtocol  # needs PyTorch

        protocol = BrsProtocol(settings.method, runtime)
    session = InteractiveSession(
        runtime,
        protocol=protocol,
        zoom_in=settings.zoom_in,
        flip=settings.flip,
        threshold=settings.threshold,
        click_limit=settings.click_limit,
        fit=settings.fit,
    )
    session.set_image(image)
    if settings.start_iou is not None:
        session.set_mask(damaged_mask(truth, settings.start_iou, name=name))
    return session


def evaluate_sample(
    runtime: Runtime,
    sample: Sample,
    settings: EvaluationSettings | None = None,
    *,
    observe: Observer | None = None,
) -> SampleResult:
    """Click on one sample (anything with `name` and `load()`) until its target IoU or the click
    limit is reached; `observe` is called with the session and the IoU after each click. Raises
    InputFileError: a photo or mask that cannot be read; ClickError: the graph has fewer slots than
    `max_clicks` needs."""
    settings = settings or EvaluationSettings()
    if settings.method in CLASSICAL:
        return evaluate_method(SeedMethod(settings.method), sample, settings)
    start = time.perf_counter()
    image, truth = sample.load()
    session = begin_session(runtime, settings, image, truth, name=sample.name)
    watch = None if observe is None else partial(observe, session)
    return _clicked_through(session, truth, sample.name, settings, start, watch)


def evaluate_method(
    method: ClickMethod, sample: Sample, settings: EvaluationSettings | None = None
) -> SampleResult:
    """As `evaluate_sample` with anything that answers clicks: an own method, or somebody else's
    model behind the three members of `ClickMethod`."""
    start = time.perf_counter()
    image, truth = sample.load()
    method.set_image(image)
    return _clicked_through(method, truth, sample.name, settings or EvaluationSettings(), start)


def _clicked_through(
    method: ClickMethod,
    truth: Truth,
    name: str,
    settings: EvaluationSettings,
    start: float,
    watch: Callable[[float], None] | None = None,
) -> SampleResult:
    user = None if settings.user is None else parse_user(settings.user)
    if user is not None:
        user = replace(user, seed=(settings.user_seed, zlib.crc32(name.encode())))
    mask = method.mask
    clicked: set[tuple[int, int]] = set()
    ious: list[float] = []
    while len(ious) < settings.max_clicks:
        click = next_click(truth, mask, clicked, order=len(ious), user=user)
        clicked.add((int(click.row), int(click.column)))
        mask = method.click(click.row, click.column, positive=click.positive)
        ious.append(iou(truth, mask))
        if watch is not None:
            watch(ious[-1])
        if ious[-1] >= settings.target_iou and len(ious) >= settings.min_clicks:
            break
    seconds = time.perf_counter() - start
    return SampleResult(name, method.clicks, np.array(ious, np.float32), seconds)
