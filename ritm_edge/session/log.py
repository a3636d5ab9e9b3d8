"""The clicks of a session as JSON, with what decides about the masks they give.

kind             "ritm-edge clicks"
format_version   1
artifact_sha256  of the file that was run
height, width    of the photo, pixels
mask_sha256      null, or of the external mask that the session started from (its float32
                 values, row by row)
settings         protocol, flip, fit, threshold, max_side, click_limit, zoom_in (`ZoomIn`)
clicks           list of {row, column, positive}, in order, in pixels of the photo
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import untrusted_json as untrusted
from ..clicks import Click
from ..errors import InputFileError, UsageError
from ..files import read_file
from .state import SessionConfig, State
from .zoom_in import Size, ZoomIn

KIND, VERSION = "ritm-edge clicks", 1
MAX_BYTES = 1 << 22  # of ten thousand clicks
_ZOOM_IN = {
    "target_size": (
        "one or two lengths in pixels",
        lambda value: all(map(untrusted.LENGTH[1], value if type(value) is list else [value])),
    ),
    "skip_clicks": ("a whole number from -1", lambda value: type(value) is int and value >= -1),
    "min_crop": untrusted.LENGTH,
    **dict.fromkeys(("expansion", "recompute_iou", "threshold"), untrusted.MEASURE),
}
_KINDS: Mapping[str, Any] = {
    "format_version": untrusted.COUNT,
    "artifact_sha256": untrusted.SHA256,
    "height": untrusted.COUNT,
    "width": untrusted.COUNT,
    "mask_sha256?": untrusted.SHA256,
    "settings": {"protocol": untrusted.TEXT, "flip": untrusted.FLAG, "fit": untrusted.TEXT,
                 "threshold": untrusted.MEASURE, "max_side?": untrusted.COUNT,
                 "click_limit?": untrusted.COUNT,
                 "zoom_in?": _ZOOM_IN},
}  # fmt: skip
_CLICK = {"row": untrusted.MEASURE, "column": untrusted.MEASURE, "positive": untrusted.FLAG}


@dataclass(frozen=True)
class ClickLog:
    """A log that was read; attributes as the module describes, `settings` for
    `InteractiveSession`."""

    path: Path
    artifact_sha256: str
    size: Size
    mask_sha256: str | None
    settings: Mapping[str, Any]
    clicks: tuple[Click, ...]

    def check(self, sha256: str, size: Size, mask: NDArray[np.float32] | None) -> None:
        """Refuse what would give other masks than those the clicks were made on.

        Args:
            sha256: of the artifact that is going to run.
            size: (H, W) of the photo.
            mask: float32 [H, W] that the session starts from.

        Raises:
            UsageError: another artifact, photo size or mask.
        """
        found = (sha256, size, None if mask is None else digest(np.asarray(mask, np.float32)))
        logged = (self.artifact_sha256, self.size, self.mask_sha256)
        names = ("the file", "a photo of (height, width)", "a start mask")
        for name, new, old in zip(names, found, logged, strict=True):
            if new != old:
                raise UsageError(
                    f"the clicks of {self.path} were made with {name} {old} and not {new}: pass "
                    "what they were made with."
                )


def as_log(config: SessionConfig, protocol: str, size: Size, state: State) -> dict[str, Any]:
    """The document for the clicks of `state`."""
    return {
        "kind": KIND,
        "format_version": VERSION,
        "artifact_sha256": config.runtime.sha256,
        "height": size[0],
        "width": size[1],
        "mask_sha256": None if state.given is None else digest(state.given),
        "settings": {
            "protocol": protocol,
            "zoom_in": None if config.zoom_in is None else asdict(config.zoom_in),
            **{
                name: getattr(config, name)
                for name in ("flip", "fit", "threshold", "max_side", "click_limit")
            },
        },
        "clicks": [
            {"row": c.row, "column": c.column, "positive": c.positive} for c in state.clicks
        ],
    }


def read_log(path: Path) -> ClickLog:
    """Read what `as_log` gave.

    Raises:
        InputFileError: missing, too large, or no such document.
    """
    data = read_file(path, most=MAX_BYTES)
    try:
        values = untrusted.parse_json(data, most=MAX_BYTES)
        untrusted.require_kinds(values, _KINDS)
        if (values.get("kind"), values.get("format_version")) != (KIND, VERSION):
            raise ValueError(f"not {KIND} of version {VERSION}")
        for click in values["clicks"] if isinstance(values.get("clicks"), list) else [None]:
            untrusted.require_kinds(click, _CLICK, "a click")
        settings = dict(values["settings"])
        zoom = settings.pop("zoom_in")
        if settings.keys() - {key.removesuffix("?") for key in _KINDS["settings"]}:
            raise ValueError(f"settings of another version: {', '.join(settings)}")
        target = zoom and zoom["target_size"]
        settings["zoom_in"] = zoom and ZoomIn(
            **{**zoom, "target_size": tuple(target) if isinstance(target, list) else target}
        )
        clicks = (
            Click(float(c["row"]), float(c["column"]), c["positive"], order)
            for order, c in enumerate(values["clicks"])
        )
        size = values["height"], values["width"]
        sha256, mask = values["artifact_sha256"], values.get("mask_sha256")
        return ClickLog(path, sha256, size, mask, settings, tuple(clicks))
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise InputFileError(
            f"{path} is no click log of a session ({error}): pass what session.log() gave, as JSON."
        ) from error


def digest(array: NDArray[Any]) -> str:
    """SHA-256, 64 hexadecimal digits, of the bytes of an array, row by row."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
