"""What an artifact says about itself; stored inside the file as one JSON text."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from .errors import ArtifactError, UsageError
from .io_spec import IOSpec
from .untrusted_json import parse_json

METADATA_KEY = "ritm_edge"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ArtifactInfo:
    """Self-description of an exported file.

    Attributes:
        model: `ModelConfig.as_dict()`.
        io: shapes the graph accepts.
        target: export target that made it ("onnx", "tflite", "coreml").
        precision: "fp32", "fp16", "int8" or "int8-dynamic".
        checkpoint_sha256: hash of the checkpoint file it was made from.
        tool_versions: package name → version at export time.
        rewrites: names of the exact rewrites its graph went through; none for the literal graph.
        parity: summary of the verification ("passed", "max_abs", "min_mask_iou", …); None until
            verified.
        reduction: how a precision below fp32 was reached ("calibration", "kept_float"); None for
            fp32.
    """

    model: Mapping[str, Any]
    io: IOSpec
    target: str
    precision: str
    checkpoint_sha256: str
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()
    parity: Mapping[str, Any] | None = None
    reduction: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, sort_keys=True)

    @staticmethod
    def from_json(text: str | None, path: Path) -> "ArtifactInfo":
        """Parse what `to_json` wrote.

        Raises:
            ArtifactError: no such text, or another format.
        """
        if not text:
            raise ArtifactError(
                f"{path} does not describe itself: it was not made by ritm-edge export; "
                "export it again."
            )
        try:
            values = parse_json(text)
            if values.pop("format_version") != FORMAT_VERSION:
                raise ValueError("another format version")
            values["io"] = IOSpec(**values["io"])
            values["rewrites"] = tuple(map(str, values.get("rewrites", ())))
            return ArtifactInfo(**values)
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            raise ArtifactError(
                f"{path} has metadata of another format ({error}): export it again."
            ) from error


def tool_versions(*packages: str) -> dict[str, str]:
    """Versions of Python, ritm-edge and the named packages (those installed)."""
    versions = {"python": platform.python_version()}
    for name in ("ritm-edge", *packages):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
