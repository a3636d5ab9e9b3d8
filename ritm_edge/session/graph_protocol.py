"""The app protocol computed by the graphs that an artifact carries, as an app in any language does.

What is left here is the loop of docs/session.md; masks and crops are those of `app_protocol`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click, pack_clicks
from ..errors import ArtifactError, UsageError
from ..io_spec import CLICKS, IMAGE, MASK, PREV_MASK
from . import app_protocol
from .geometry import NONE, NUMPY, Frame
from .state import Mask, Photo, Positions, Probabilities, SessionConfig, State
from .zoom_in import Roi, bounding_box, whole_image

FIXED = ("fit", "threshold")
OUTSIDE = -9.0  # a position beside every photo: fills up the last block of a screen


def begin(config: SessionConfig, photo: Photo, given: Probabilities) -> State:
    """See `SessionProtocol`; the mask becomes bytes."""
    box = bounding_box(given > np.float32(config.threshold))
    shares = np.round(given * 255).astype(np.uint8).reshape(-1, 1)
    step = _step(config, "begin", mask=shares, size=_size(photo), box=_packed(box))
    placed = _rectangle(config, photo, step["new_placed"])
    return State(output=step["output"], placed=placed, given=given)


def advance(config: SessionConfig, photo: Photo, state: State, clicks: tuple[Click, ...]) -> State:
    """See `SessionProtocol`."""
    spec = config.runtime.spec
    packed = pack_clicks(clicks, max_clicks=spec.max_clicks)[0].astype(np.float32)
    output = state.output
    step = _step(
        config,
        "prepare",
        pixels=photo.pixels.reshape(-1, 3),
        size=_size(photo),
        clicks=packed,
        output=np.zeros(spec.size or (), np.float32) if output is None else output,
        placed=_packed(state.placed or whole_image(photo.size)),
        roi=_packed(state.roi),
    )
    inputs = {n: step[f"net_{n}"] for n in (IMAGE, PREV_MASK, CLICKS) if f"net_{n}" in step}
    mask = config.runtime.run(inputs)[MASK]
    if config.flip:
        turned = _step(config, "mirror", **inputs)
        mirrored = config.runtime.run({name: turned[f"net_{name}"] for name in inputs})[MASK]
        output = _step(config, "average", straight=mask, mirrored=mirrored)["output"]
    else:
        output = mask[0, 0]
    placed = _rectangle(config, photo, step["new_placed"])
    roi = None if (step["new_roi"] == NONE).all() else _rectangle(config, photo, step["new_roi"])
    return replace(state, clicks=clicks, output=output, placed=placed, roi=roi)


def probabilities(config: SessionConfig, photo: Photo, state: State) -> Probabilities:
    """See `SessionProtocol`; not from a graph, since apps show masks only."""
    if state.output is not None and state.clicks:
        frame = Frame(NUMPY, state.output.shape, config.fit)
        content = app_protocol.content(frame, state.output, app_protocol.rect(state.placed))
        state = replace(state, output=content)
    return app_protocol.probabilities(config, photo, state)


def mask_at(config: SessionConfig, photo: Photo, state: State, at: Positions) -> Mask:
    """See `SessionProtocol`; in blocks, where the graph has a screen of fixed size."""
    if not state.clicks:
        return app_protocol.mask_at(config, photo, replace(state, output=None), at)
    rows, columns = at
    mask = np.zeros((len(rows), len(columns)), np.bool_)
    fixed = _facts(config)
    height, width = fixed.get("screen_rows"), fixed.get("screen_columns")
    for top in range(0, len(rows), height or max(1, len(rows))):
        for left in range(0, len(columns), width or max(1, len(columns))):
            lines, across = (
                each[first : first + (most or len(each))]
                for each, first, most in ((rows, top, height), (columns, left, width))
            )
            step = _step(
                config,
                "finish",
                output=state.output,
                placed=_packed(state.placed),
                rows=_filled(lines, height),
                columns=_filled(across, width),
            )
            found = step["mask"][: len(lines), : len(across)] > 0
            mask[top : top + len(lines), left : left + len(across)] = found
    return mask


def graph_options(session: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options of an `InteractiveSession` that runs session graphs, from what an artifact says of
    them; without, such a session is refused."""
    return {"protocol": "graphs", **({n: session[n] for n in FIXED} if session else {})}


def check(config: SessionConfig) -> None:
    """Refuse settings that are not those of the graphs.

    Raises:
        ArtifactError: the file has no session graphs.
        UsageError: another setting than theirs.
    """
    facts, zoom = _facts(config), config.zoom_in
    wanted = {
        "fit": config.fit,
        "threshold": config.threshold,
        **{n: getattr(zoom, n, None) for n in ("expansion", "min_crop", "recompute_iou")},
        "skip_clicks": 1 if zoom is None else zoom.skip_clicks,
        "click_limit": config.click_limit,
    }
    for name, value in wanted.items():
        graphs = facts.get(name, 1 if name == "skip_clicks" else None)
        if value != graphs:
            raise UsageError(
                f"the session graphs of {config.runtime.label} were made with {name} {graphs} and "
                f"not {value}: use theirs, or leave out --session-graphs."
            )


def _facts(config: SessionConfig) -> Mapping[str, Any]:
    runtime: Any = config.runtime
    if runtime.info is None or not getattr(runtime, "steps", None):  # ArtifactError without graphs
        raise ArtifactError(f"{runtime.label} has no session graphs: export it with --session.")
    facts: Mapping[str, Any] = runtime.info.session
    return facts


def _step(config: SessionConfig, name: str, **arrays: Any) -> dict[str, NDArray[Any]]:
    runtime: Any = config.runtime
    found: dict[str, NDArray[Any]] = runtime.step(name, arrays)
    return found


def _size(photo: Photo) -> NDArray[np.float32]:
    return np.array(photo.size, np.float32)


def _packed(roi: Roi | None) -> NDArray[np.float32]:
    return np.array((NONE,) * 4 if roi is None else roi, np.float32)


def _rectangle(config: SessionConfig, photo: Photo, packed: NDArray[np.float32]) -> Roi:
    top, bottom, left, right = packed.tolist()
    height, width = photo.size
    inside = 0 <= top <= bottom < height and 0 <= left <= right < width
    if not inside or (packed != np.floor(packed)).any():  # `inside` is false for NaN
        raise ArtifactError(
            f"a session graph of {config.runtime.label} found the rectangle {packed.tolist()} in a "
            f"photo of {height} rows and {width} columns: export the file again."
        )
    return Roi(*map(int, packed))


def _filled(positions: NDArray[np.float32], length: int | None) -> NDArray[np.float32]:
    missing = 0 if length is None else length - len(positions)
    return np.pad(positions, (0, missing), constant_values=OUTSIDE)
