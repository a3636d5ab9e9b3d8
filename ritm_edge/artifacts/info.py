"""What an artifact says about itself; stored inside the file as one JSON text."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import untrusted_json as untrusted
from ..errors import ArtifactError, UsageError
from ..io_spec import IOSpec
from .checksum import BLANK

METADATA_KEY = "ritm_edge"


class Precision(StrEnum):
    """The type in which a graph stores or computes its numbers; the values are those of
    `--precision`, of file names and of self-descriptions."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    INT8_DYNAMIC = "int8-dynamic"


# What the graph takes and gives (`io_spec`). It grows when an app would have to feed or read a
# graph in another way, not when the description gets another entry.
CONTRACT = 1
FIRST_FORMAT = 1  # `format_version` of descriptions before `contract` was introduced
# Kinds of the entries; see `untrusted_json`.
_FIRST_HEAD = {"format_version": untrusted.COUNT}
_HEAD = {"contract": untrusted.COUNT, "content_sha256": untrusted.SHA256}
_KINDS = {
    "model": {"name": untrusted.TEXT},
    "io": {
        "height?": untrusted.COUNT,
        "width?": untrusted.COUNT,
        "max_clicks?": untrusted.COUNT,
        "prev_mask": untrusted.FLAG,
    },
    "target": untrusted.TEXT,
    "precision": untrusted.TEXT,
    "checkpoint_sha256": untrusted.SHA256,
    "tool_versions?": untrusted.TEXT_BY_KEY,
    "rewrites?": untrusted.TEXTS,
    "parity?": {
        "passed": untrusted.FLAG,
        "cases": untrusted.COUNT,
        **dict.fromkeys(("max_abs", "mean_abs", "min_mask_iou", "atol"), untrusted.MEASURE),
    },
    "half_precision?": {"safe": untrusted.FLAG, "mode": untrusted.TEXT, "reason": untrusted.TEXT},
    "reduction?": {
        "calibration": untrusted.TEXT,
        "calibration_inputs": untrusted.COUNT,
        "kept_float": untrusted.TEXTS,
    },
    "session?": {
        "fit": untrusted.TEXT,
        **dict.fromkeys(("threshold", "expansion", "min_crop", "recompute_iou"), untrusted.MEASURE),
        **dict.fromkeys(("largest_photo?", "screen_rows?", "screen_columns?"), untrusted.LENGTH),
        "files?": untrusted.TEXT_BY_KEY,
        "verified?": dict.fromkeys(
            ("seed", "clicks", "differing", "pixels", "differing_pixels"), untrusted.COUNT
        ),
    },
}


@dataclass(frozen=True)
class ArtifactInfo:
    """Self-description of an exported file; docs/artifact-metadata.schema.json is its schema.

    Attributes:
        model: `ModelConfig.as_dict()`.
        io: shapes the graph accepts.
        target: export target that made it ("onnx", "tflite", "coreml").
        precision: a `Precision`, or one that a later version knows.
        checkpoint_sha256: hash of the checkpoint file it was made from.
        tool_versions: package name → version at export time.
        rewrites: names of the exact rewrites its graph went through; none for the baseline graph.
        parity: summary of the verification ("passed", "max_abs", "min_mask_iou", …); None until
            verified.
        reduction: how a precision below fp32 was reached ("calibration", "kept_float"); None for
            fp32.
        session: what is fixed in the session graphs, and how they were verified; None without them.
        half_precision: whether devices that compute in float16 keep its masks ("safe", "mode",
            "reason"); None where nobody looked.
        contract: version of what the graph takes and gives.
        content_sha256: see `checksum`; zeros until the file is stamped, None in files from before
            there were checksums.
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
    session: Mapping[str, Any] | None = None
    half_precision: Mapping[str, Any] | None = None
    contract: int = CONTRACT
    content_sha256: str | None = BLANK

    def to_json(self) -> str:
        """The text that a stamp writes, for which it computes the checksum."""
        values = {**asdict(self), "content_sha256": BLANK}
        return json.dumps(values, sort_keys=True, allow_nan=False)

    @staticmethod
    def from_json(text: str | None, path: Path) -> "ArtifactInfo":
        """Parse what `to_json` of this version wrote, or an older or newer one: unknown entries are
        ignored, known ones checked. Raises ArtifactError: no such text; a contract newer than is
        known; an entry that is missing, of another type or out of range."""
        if not text:
            raise ArtifactError(
                f"{path} does not describe itself: it was not made by ritm-edge export; "
                "export it again."
            )
        try:
            values = untrusted.parse_json(text)
            untrusted.require_kinds(values, {})
            old = values.get("format_version") == FIRST_FORMAT and "contract" not in values
            untrusted.require_kinds(values, _FIRST_HEAD if old else _HEAD)
            contract = values.get("contract", 1)
            if not 1 <= contract <= CONTRACT:
                raise ArtifactError(
                    f"{path} follows version {contract} of the graph's contract and this ritm-edge "
                    f"knows up to {CONTRACT}: install the version that made it, or a newer one."
                )
            untrusted.require_kinds(values, _KINDS)
            names = [entry.name for entry in fields(ArtifactInfo)]
            known = {name: values[name] for name in names if values.get(name) is not None}
            known["io"] = IOSpec(**{n.name: values["io"].get(n.name) for n in fields(IOSpec)})
            known["rewrites"] = tuple(known.get("rewrites", ()))
            known["content_sha256"] = None if old else values["content_sha256"]
            return ArtifactInfo(**known)
        except (ValueError, UsageError) as error:
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
