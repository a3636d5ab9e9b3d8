"""Golden traces: sessions written down so that a port in any language can be checked against them.

The format is docs/golden-traces.md.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError
from ..imaging.images import encode_image, read_photo
from ..io_spec import MASK, MASK_THRESHOLD
from ..runtimes.base import Outputs, Runtime
from ..samples import sample_photo
from ..session.app_protocol import object_box
from ..session.fit import FITS
from ..session.interactive import InteractiveSession
from ..session.log import digest
from .session_check import MadeRuntime

KIND, VERSION = "ritm-edge golden traces", 1
PHOTOS = {"lying": (360, 480), "upright": (480, 333), "odd": (33, 31), "pixel": (1, 1)}
# (centre row, centre column, radius) of the object in shares of the network input; None: nothing.
OBJECTS = {"small": (0.45, 0.55, 0.06), "large": (0.5, 0.5, 0.45), "corner": (0.0, 1.0, 0.2),
           "nothing": None}  # fmt: skip
# Positions are shares of the photo; the last element of a click is which object is answered.
ACTIONS: tuple[tuple[Any, ...], ...] = (
    ("click", 0.5, 0.5, True, "small"),
    ("click", 0.51, 0.52, True, "large"),  # zoomed in
    ("click", 0.2, 0.9, False, "large"),
    ("undo",),
    ("redo",),
    ("click", 0.0, 0.999, True, "corner"),
    ("click", 0.4, 0.4, False, "nothing"),  # the mask vanishes
    ("click", 0.45, 0.55, True, "small"),  # and the whole photo is seen again
    ("move", 2, 0.3, 0.3, "large"),
    ("remove", 0, "small"),
    ("undo",),
    ("click", 0.999, 0.0, True, "large"),
)


class _Recorder(MadeRuntime):
    """Answers with one object, or with the artifact's network, and keeps what was asked."""

    def __init__(self, artifact: Runtime) -> None:
        super().__init__(artifact)
        self.answer: NDArray[np.float32] | None = None
        self.runs: list[tuple[Mapping[str, ArrayLike], NDArray[np.float32]]] = []

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        self.answers = [] if self.answer is None else [self.answer]
        output = super().run(inputs)
        self.runs.append((self.inputs, output[MASK][0, 0]))
        return output


def write_traces(artifact: Runtime, folder: Path, fits: Sequence[str] = FITS) -> int:
    """Write all traces into a new folder.

    Args:
        artifact: whose size and slots the sessions have; its network answers in one of them.
        folder: to make, with `traces.json` and the raw files that it names.
        fits: of which there are traces.

    Returns:
        Number of traces.

    Raises:
        UsageError: a graph of any size, or with fewer than six slots per sign.
    """
    spec = artifact.spec
    if spec.size is None or (spec.max_clicks or 0) < len(ACTIONS) // 2:
        raise UsageError(
            f"{artifact.label} takes any size or has under {len(ACTIONS) // 2} click slots: pass "
            "an artifact of fixed size with more slots."
        )
    folder.mkdir()
    rng = np.random.default_rng(0)
    photos = {name: rng.integers(0, 256, (*size, 3), np.uint8) for name, size in PHOTOS.items()}
    photos["sample"] = read_photo(sample_photo())  # on which a network finds something
    for name, photo in photos.items():
        (folder / f"{name}.rgb").write_bytes(photo.tobytes())
        (folder / f"{name}.png").write_bytes(encode_image(photo, Path(f"{name}.png")))
    traces = [
        _trace(artifact, folder, name, photos[name], fit=fit, flip=flip, mask=mask, made=made)
        for fit in fits
        for name, flip, mask, made in (
            ("lying", False, False, True),
            ("lying", True, False, True),
            ("upright", False, True, True),
            ("odd", False, False, True),
            ("pixel", False, False, True),
            ("sample", False, False, False),
        )
        if spec.prev_mask or not mask
    ]
    document = {
        "kind": KIND,
        "format_version": VERSION,
        "artifact_sha256": artifact.sha256,
        "side": list(spec.size),
        "slots": spec.max_clicks,
        "prev_mask": spec.prev_mask,
        "traces": traces,
    }
    (folder / "traces.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return len(traces)


def _trace(
    artifact: Runtime, folder: Path, name: str, photo: NDArray[np.uint8], *, made: bool,
    mask: bool, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    recorder = _Recorder(artifact)
    session = InteractiveSession(recorder, **options)
    session.set_image(photo)
    height, width = size = photo.shape[:2]
    start = None
    if mask:
        start = np.zeros((height, width), bool)
        start[height // 3 : height // 2, width // 4 : width // 2] = True
        session.set_mask(start)
    steps = []
    for name_of_action, *values in ACTIONS:
        recorder.runs.clear()
        action: dict[str, Any] = {"action": name_of_action}
        if name_of_action in ("click", "move", "remove"):
            recorder.answer = _answer(artifact, OBJECTS[values.pop()]) if made else None
        if name_of_action in ("move", "remove"):
            action["index"] = values.pop(0)
        if name_of_action in ("click", "move"):
            row, column = (float(np.float32(s * n)) for s, n in zip(values[:2], size, strict=True))
            action |= {"row": row, "column": column}
        if name_of_action == "click":
            action["positive"] = values[2]
        arguments = {k: v for k, v in action.items() if k != "action"}
        method = {"move": "move_click", "remove": "remove_click"}.get(
            name_of_action, name_of_action
        )
        getattr(session, method)(**arguments)
        state = session._state
        box = object_box(session._config, state)
        runs = [
            {
                "network_clicks": np.ravel(inputs["clicks"]).tolist(),
                "inputs_sha256": {n: digest(np.asarray(a, np.float32)) for n, a in inputs.items()},
                "output": _kept(folder, output, "f32"),
            }
            for inputs, output in recorder.runs
        ]
        bits = np.packbits(session.mask)
        steps.append(
            {
                **action,
                "clicks": [[c.row, c.column, c.positive] for c in state.clicks],
                "crop": state.roi,
                "placed": state.placed,
                "runs": runs,
                "box": box,
                "mask": _kept(folder, bits, "bits"),
            }
        )
    started = None if start is None else _kept(folder, start.astype(np.uint8) * 255, "u8")
    return {
        "photo": f"{name}.rgb", "height": height, "width": width,
        "threshold": MASK_THRESHOLD, **options,
        "start_mask": started, "network": "made" if made else "artifact", "steps": steps,
    }  # fmt: skip


def _answer(artifact: Runtime, shape: tuple[float, ...] | None) -> NDArray[np.float32]:
    size = artifact.spec.size or (0, 0)
    if shape is None:
        return np.full(size, 0.125, np.float32)
    rows, columns = (np.linspace(0, 1, n) for n in size)
    far = ((rows[:, None] - shape[0]) ** 2 + (columns - shape[1]) ** 2) / shape[2] ** 2
    return np.asarray(1 / (1 + np.exp(4 * np.minimum(far - 1, 5))), np.float32)


def _kept(folder: Path, array: NDArray[Any], suffix: str) -> str:
    """Name of the raw file with this content; equal contents are one file."""
    name = f"{digest(array)[:16]}.{suffix}"
    (folder / name).write_bytes(np.ascontiguousarray(array).tobytes())
    return name
