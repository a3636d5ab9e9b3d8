"""How each session graph computes what it gives; `ritm_edge.runtimes.step_contract` says what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ritm_edge.io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec
from ritm_edge.runtimes.step_contract import StepTensors, step_contract
from ritm_edge.session.fit import DEFAULT_FIT, Fit
from ritm_edge.session.geometry import NONE, Frame, Rect, average, find_crop, mix
from ritm_edge.session.interactive import DEFAULT_ZOOM_IN
from ritm_edge.session.zoom_in import ZoomIn

BYTE = 255.0

Tensors = dict[str, Any]


@dataclass(frozen=True)
class StepSettings:
    """What is fixed in the graphs.

    Attributes:
        io: of the network, with a fixed size.
        threshold: see `InteractiveSession`.
        fit: as there.
        channels_last: whether the network takes NHWC.
        zoom: as there.
    """

    io: IOSpec
    threshold: float
    fit: Fit = DEFAULT_FIT
    channels_last: bool = False
    zoom: ZoomIn = DEFAULT_ZOOM_IN

    @property
    def side(self) -> tuple[int, int]:
        assert self.io.size is not None
        return self.io.size

    @property
    def facts(self) -> dict[str, Any]:
        """What the artifact's self-description says of the graphs."""
        names = ("expansion", "min_crop", "recompute_iou")
        zoom = {name: getattr(self.zoom, name) for name in names}
        return {"fit": self.fit, "threshold": self.threshold, **zoom}


@dataclass(frozen=True)
class Step:
    """One graph: type and shape of its inputs and outputs, and how these come from those.

    `compute(xp, settings, tensors)` works on any array library, see `session.geometry`.
    """

    inputs: StepTensors
    outputs: StepTensors
    compute: Callable[[Any, StepSettings, Tensors], tuple[Any, ...]]


def all_steps(settings: StepSettings) -> dict[str, Step]:
    """The graphs by name."""
    steps = {}
    for name, tensors in step_contract(settings.io).items():
        inputs, outputs = (
            {
                tensor: (
                    kind,
                    (s[0], *s[2:], s[1]) if settings.channels_last and len(s) == 4 else s,
                )
                for tensor, (kind, s) in each.items()
            }
            for each in tensors
        )
        steps[name] = Step(inputs, outputs, COMPUTE[name])
    return steps


def _prepare(xp: Any, settings: StepSettings, given: Tensors) -> tuple[Any, ...]:
    frame = Frame(xp, settings.side, settings.fit)
    size, placed, output = given["size"], _rect(xp, given["placed"]), given["output"]
    box, found = frame.box(output, placed, settings.threshold)
    crop = find_crop(xp, settings.zoom, box, given["clicks"], _rect(xp, given["roi"]), size)
    seen = _seen(xp, frame, crop, found, size)
    image = _read(xp, frame, given["pixels"], seen, size, channels=3)
    roi = xp.where(found, _packed(xp, crop), NONE)
    clicks = frame.clicks(given["clicks"], seen)[None]
    if not settings.io.prev_mask:
        return _in_layout(xp, settings, image), clicks, _packed(xp, seen), roi
    previous = xp.reshape(frame.previous(frame, output, placed, seen), (*settings.side, 1))
    layout = [_in_layout(xp, settings, each) for each in (image, previous)]
    return (*layout, clicks, _packed(xp, seen), roi)


def _finish(xp: Any, settings: StepSettings, given: Tensors) -> tuple[Any, ...]:
    frame = Frame(xp, settings.side, settings.fit)
    output, placed = given["output"], _rect(xp, given["placed"])
    box, found = frame.box(output, placed, settings.threshold)
    mask = frame.over(output, placed, given["rows"], given["columns"]) > settings.threshold
    return xp.byte(mask), xp.where(found, _packed(xp, box), NONE)


def _begin(xp: Any, settings: StepSettings, given: Tensors) -> tuple[Any, ...]:
    frame = Frame(xp, settings.side, settings.fit)
    size, box = given["size"], _rect(xp, given["box"])
    no_clicks = xp.reshape(xp.vector(*(NONE,) * 6), (2, 3))
    nothing = Rect(xp.vector(NONE, NONE), xp.vector(NONE, NONE))
    crop = find_crop(xp, settings.zoom, box, no_clicks, nothing, size)
    found = box.start >= 0
    seen = _seen(xp, frame, crop, found, size)
    shares = _read(xp, frame, given["mask"], seen, size, channels=1)
    return xp.reshape(shares, settings.side), _packed(xp, seen)


def _mirror(xp: Any, settings: StepSettings, given: Tensors) -> tuple[Any, ...]:
    clicks, width = given[CLICKS], settings.side[1]
    column = xp.where(clicks[:, :, 2:] >= 0, (width - 1.0) - clicks[:, :, 1:2], NONE)
    clicks = xp.concat([clicks[:, :, :1], column, clicks[:, :, 2:]], 2)
    axis = 2 if settings.channels_last else 3
    images = [xp.flip(given[name], axis) for name in (IMAGE, PREV_MASK) if name in given]
    return (*images, clicks)


def _average(xp: Any, settings: StepSettings, given: Tensors) -> tuple[Any, ...]:
    straight, mirrored = (xp.reshape(given[n], settings.side) for n in ("straight", "mirrored"))
    return (average(xp, straight, xp.flip(mirrored, 1)),)


COMPUTE = {
    "prepare": _prepare,
    "finish": _finish,
    "begin": _begin,
    "mirror": _mirror,
    "average": _average,
}


def _seen(xp: Any, frame: Frame, crop: Rect, found: Any, size: Any) -> Rect:
    """The rectangle that the network is shown: of the crop, or of the whole photo without one."""
    start, end = xp.where(found, crop.start, size * 0), xp.where(found, crop.end, size - 1)
    return frame.seen(Rect(start, end), size)


def _read(xp: Any, frame: Frame, values: Any, seen: Rect, size: Any, *, channels: int) -> Any:
    """[H, W, channels]: what the network sees of a list of bytes; a mask's are shares of 255."""
    (rows, row_weights), (columns, column_weights) = (frame.samples(seen, axis) for axis in (0, 1))
    # Whole numbers here: a float32 does not know every pixel of a large photo.
    at = xp.integer(rows)[:, None] * xp.integer(size[1:])[None, :] + xp.integer(columns)[None, :]
    shape = (rows.shape[0], columns.shape[0], channels)
    read = xp.number(xp.rows(values, xp.reshape(at, (-1,))))
    if channels == 1:
        read = xp.minimum(read * (1 / BYTE), 1.0)
    return mix(xp, mix(xp, xp.reshape(read, shape), row_weights, 0), column_weights, 1)


def _in_layout(xp: Any, settings: StepSettings, image: Any) -> Any:
    return (image if settings.channels_last else xp.channels_first(image))[None]


def _rect(xp: Any, packed: Any) -> Rect:
    start, end = (xp.concat([packed[i : i + 1], packed[i + 2 : i + 3]], 0) for i in (0, 1))
    return Rect(start, end)


def _packed(xp: Any, rect: Rect) -> Any:
    return xp.concat([ends[i : i + 1] for i in (0, 1) for ends in rect], 0)
