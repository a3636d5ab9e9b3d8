"""Do an artifact's session graphs answer as the Python session does? Random sessions decide.

Traces of a few clicks do not find a wrong box; random outputs, photos and clicks do.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParityError
from ..io_spec import MASK
from ..runtimes.base import Outputs, Runtime
from ..session.graph_protocol import graph_options
from ..session.interactive import InteractiveSession

# Photos of one pixel, of one row, upright, lying, larger than a network input and smaller.
PHOTOS = ((512, 512), (300, 700), (33, 31), (1, 1), (1, 700), (1300, 5), (960, 720), (180, 240))
CLICKS_PER_SESSION = 7
MASKS_EVERY = 3  # clicks; a graph with a screen of fixed size computes all of it for any mask
MOST_DIFFERING = 1e-4  # share of the pixels of all masks


class MadeRuntime:
    """An artifact whose network is replaced by outputs that reach every branch of a session.

    Attributes:
        answers: the next outputs, float32 [H, W]; one is taken for each run.
        inputs: of the last run.
    """

    def __init__(self, artifact: Runtime) -> None:
        self._artifact = artifact
        self.answers: list[NDArray[np.float32]] = []
        self.inputs: dict[str, NDArray[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._artifact, name)

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """The next answer, or the artifact's where there is none."""
        self.inputs = {name: np.array(array) for name, array in inputs.items()}
        if not self.answers:
            return self._artifact.run(inputs)
        return {MASK: self.answers.pop(0)[None, None]}


@dataclass
class SessionReport:
    """What random sessions found.

    Attributes:
        seed: of the sessions.
        clicks: made on both sides.
        differing: after which crop, place or clicks were others; the session ends there.
        pixels: of all masks compared.
        differing_pixels: of them.
        worst: largest differences of network inputs, by name, where nothing differed.
        examples: the first differing clicks in words.
    """

    seed: int
    clicks: int = 0
    differing: int = 0
    pixels: int = 0
    differing_pixels: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        few = self.differing_pixels <= MOST_DIFFERING * self.pixels
        return self.clicks > 0 and self.differing == 0 and few

    def summary(self) -> dict[str, int]:
        """Counts for the artifact's self-description."""
        names = ("seed", "clicks", "differing", "pixels", "differing_pixels")
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, **asdict(self)}

    def require_passed(self, label: str) -> None:
        """Raise where the graphs are another session.

        Raises:
            ParityError: says which click was the first to differ.
        """
        if not self.passed:
            first = f"; first: {self.examples[0]}" if self.examples else ""
            raise ParityError(
                f"the session graphs of {label} differ from the Python session after "
                f"{self.differing} of {self.clicks} clicks and in {self.differing_pixels} of "
                f"{self.pixels} mask pixels{first}: do not ship them; export with the versions of "
                "constraints.txt, or pass --no-session."
            )


def check_session(
    artifact: Runtime, *, clicks: int, seed: int, made: bool = True, flip: bool | None = None
) -> SessionReport:
    """Click on random photos in a Python session and in one of the artifact's graphs.

    Args:
        artifact: with session graphs.
        clicks: about how many to make.
        seed: of photos, clicks and outputs.
        made: invent the network's outputs, instead of running the network for both sessions.
        flip: whether the sessions average with the mirror image; None: every third one does.

    Raises:
        ArtifactError: it has no session graphs, or one does not execute.
    """
    report, number = SessionReport(seed), 0
    while report.clicks < clicks:
        flipped = number % 3 == 2 if flip is None else flip
        rng = np.random.default_rng((seed, number))
        _compare_session(artifact, rng, number, report, made=made, flip=flipped)
        number += 1
    return report


def made_output(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Probabilities of nothing, everything or a few soft blobs with noise, float32 [H, W]."""
    if rng.random() < 0.08:
        return np.full(size, rng.choice([0.1, 0.9]), np.float32)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    logits = np.full(size, -6, np.float32)
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(0, 1, 2) * size
        radius = np.exp(rng.uniform(np.log(0.01), np.log(0.5), 2)) * size
        far = ((rows - centre[0]) / radius[0]) ** 2 + ((columns - centre[1]) / radius[1]) ** 2
        logits = np.maximum(logits, 3 * (1 - far) * rng.choice([1, 4]))
    coarse = rng.normal(size=(size[0] // 8 + 1, size[1] // 8 + 1)) * rng.choice([0, 0.2, 0.8])
    logits += np.kron(coarse, np.ones((8, 8)))[: size[0], : size[1]]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _compare_session(
    artifact: Runtime,
    rng: np.random.Generator,
    number: int,
    report: SessionReport,
    *,
    made: bool,
    flip: bool,
) -> None:
    info, size = artifact.info, PHOTOS[number % len(PHOTOS)]
    assert info is not None
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    options = {**graph_options(info.session), "flip": flip}
    runtimes = [MadeRuntime(artifact), MadeRuntime(artifact)]
    python, graphs = (
        InteractiveSession(runtime, **{**options, "protocol": protocol})
        for runtime, protocol in zip(runtimes, ("app", "graphs"), strict=True)
    )
    for session in (python, graphs):
        session.set_image(photo)
    if info.io.prev_mask and number % 5 == 4:
        given = made_output(rng, size) > options["threshold"]
        for session in (python, graphs):
            session.set_mask(given)
    slots = info.io.max_clicks or 1
    for count in range(min(CLICKS_PER_SESSION, slots)):
        answers = [made_output(rng, info.io.size or (0, 0)) for _ in range(2)] if made else []
        where = [float(np.float32(rng.uniform(0, length - 0.01))) for length in size]
        if rng.random() < 0.5:
            where = [float(int(each)) for each in where]
        if count and rng.random() < 0.1:
            for session in (python, graphs):
                session.undo()
        positive = count == 0 or bool(rng.random() < 0.6)
        for session, runtime in zip((python, graphs), runtimes, strict=True):
            runtime.answers = answers[: 1 + flip]
            session.advance(where[0], where[1], positive)
        report.clicks += 1
        same = python.zoom_roi == graphs.zoom_roi and python._state.placed == graphs._state.placed
        if not same:
            report.differing += 1
            report.examples.append(
                f"photo {size[0]}x{size[1]}, session {number}, click {count + 1}: crop "
                f"{python.zoom_roi} and {graphs.zoom_roi}"
            )
            return
        for name, array in runtimes[0].inputs.items():
            difference = float(np.abs(array - runtimes[1].inputs[name]).max())
            report.worst[name] = max(report.worst.get(name, 0.0), difference)
        if count % MASKS_EVERY:
            continue
        at = [np.linspace(0, length - 1, min(length, 200)) for length in size]
        masks = [session.mask_at(*at) for session in (python, graphs)]
        report.pixels += masks[0].size
        report.differing_pixels += int((masks[0] != masks[1]).sum())
