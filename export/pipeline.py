"""Checkpoint to artifact: convert, prove, stamp, and only then give it its name."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ritm_edge.artifact import ArtifactInfo, tool_versions
from ritm_edge.errors import UsageError
from ritm_edge.files import atomic_output, size_in_bytes
from ritm_edge.io_spec import MASK, IOSpec
from ritm_edge.model.checkpoint import checkpoint_hash
from ritm_edge.model.export_graph import InferenceGraph, example_inputs
from ritm_edge.parity import ParityReport, compare, parity_cases
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.runtimes.pytorch import open_file as open_checkpoint

from .target import Target

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Exported:
    """One finished artifact.

    Attributes:
        target: its target's name.
        path: the file or folder.
        megabytes: size on disk, 10⁶ bytes.
        seconds: conversion time, without verification.
        parity: the verification it passed.
    """

    target: str
    path: Path
    megabytes: float
    seconds: float
    parity: ParityReport


def artifact_name(model: str, spec: IOSpec, target: Target) -> str:
    """File name that tells artifacts of different sizes apart."""
    size = "dynamic" if spec.size is None else f"{spec.height}x{spec.width}"
    return f"{model}-{size}{target.suffix}"


def export_checkpoint(
    checkpoint: Path,
    target: Target,
    *,
    spec: IOSpec,
    output: Path,
    model: str | None = None,
    photos: Sequence[NDArray[np.uint8]] = (),
    stage: Stage = lambda _: None,
) -> Exported:
    """Export a checkpoint to one target and verify the result.

    Args:
        checkpoint: `.pth` or `.safetensors`.
        target: what to make.
        spec: size and number of clicks; `prev_mask` is taken from the checkpoint. A size of None
            makes an artifact for any height and width, where the target can.
        output: folder for the artifact; an older one of the same name is replaced at the end.
        model: expected model name; None accepts any.
        photos: uint8 RGB photos to verify on, beside the synthetic cases.
        stage: told what is being done.

    Raises:
        ParityError: the artifact disagrees with PyTorch; nothing is left behind.
        UsageError: a dynamic size for a target without it.
        ConversionError, CheckpointError, OutputFileError: as their names say.
    """
    reference = open_checkpoint(checkpoint)
    config = reference.model.config
    if model is not None and config.name != model:
        raise UsageError(
            f"{checkpoint} holds {config.name}, not {model}: pass --model {config.name} or the "
            "checkpoint of that model."
        )
    spec = replace(spec, prev_mask=config.prev_mask)
    path = output / artifact_name(config.name, spec, target)
    info = ArtifactInfo(
        model=config.as_dict(),
        io=spec,
        target=target.name,
        precision=target.precision,
        checkpoint_sha256=checkpoint_hash(checkpoint),
        tool_versions=tool_versions(*target.packages),
    )
    return export_model(reference, info, target, path, photos=photos, stage=stage)


def export_model(
    reference: PytorchRuntime,
    info: ArtifactInfo,
    target: Target,
    path: Path,
    *,
    photos: Sequence[NDArray[np.uint8]] = (),
    stage: Stage = lambda _: None,
) -> Exported:
    """Convert a loaded model, stamp `info`, verify, and move the result to `path`.

    Args and errors: as `export_checkpoint`.
    """
    spec = info.io
    convert = target.convert if spec.size else target.convert_dynamic
    if convert is None:
        raise UsageError(
            f"the target {target.name} needs a fixed size: leave out --dynamic or give --size HxW."
        )
    with atomic_output(path) as temporary:
        stage("converting")
        started = time.monotonic()
        convert(InferenceGraph(reference.model), example_inputs(spec), (MASK,), temporary)
        target.stamp(temporary, info.to_json())
        seconds = time.monotonic() - started
        stage("verifying")
        report = compare(
            open_runtime(temporary), reference, parity_cases(spec, photos=photos), target.tolerance
        )
        report = replace(report, artifact=path.name)
        report.require_passed()
        target.stamp(temporary, replace(info, parity=report.summary()).to_json())
    return Exported(target.name, path, size_in_bytes(path) / 1e6, seconds, report)
