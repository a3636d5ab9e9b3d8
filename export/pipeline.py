"""Checkpoint to artifact: convert, verify, stamp, and only then give it its name."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ritm_edge.artifacts.info import ArtifactInfo, Precision, tool_versions
from ritm_edge.errors import UsageError
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.files import atomic_output, move_into_place, sha256_of, size_in_bytes
from ritm_edge.io_spec import MASK, MASK_THRESHOLD, IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.base import ModelFile
from ritm_edge.runtimes.onnx import SESSION_SUFFIX
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.runtimes.pytorch import open_file as open_checkpoint
from ritm_edge.session.fit import Fit
from ritm_edge.verification.acceptance import TaskReport, accept
from ritm_edge.verification.half_precision import HalfReport
from ritm_edge.verification.parity import ParityReport, compare, parity_cases
from ritm_edge.verification.session_check import check_session

from .calibration import Calibration, record_calibration
from .export_input import ExportInput
from .half_precision import examine
from .precision import PrecisionOptions, ReducedPrecision
from .registry import find_precision
from .rewrites import rewrite
from .session_graphs.steps import StepSettings
from .target import Target

Stage = Callable[[str], None]
# Of the random sessions in which session graphs are verified; other seeds are the fuzz script's.
SESSION_CLICKS, SESSION_SEED = 80, 1


@dataclass(frozen=True)
class Exported:
    """One finished artifact.

    Attributes:
        megabytes: size on disk, 10⁶ bytes.
        seconds: conversion time, without verification.
        rewrites: names of the passes that changed the graph; empty for the baseline one.
        parity: differences from PyTorch; fp32 passed it, other precisions only report them.
        task: what decided about a precision below fp32; None for fp32.
        half: whether half-precision devices keep its masks; None where that was not emulated.
    """

    target: str
    path: Path
    megabytes: float
    seconds: float
    rewrites: tuple[str, ...]
    parity: ParityReport
    task: TaskReport | None = None
    half: HalfReport | None = None


def artifact_name(
    model: str,
    spec: IOSpec,
    target: Target,
    precision: str = Precision.FP32,
    rewrites: Sequence[str] | None = None,
) -> str:
    """File name that tells sizes and precisions apart, and a baseline graph from the default."""
    size = "dynamic" if spec.size is None else f"{spec.height}x{spec.width}"
    marks = [] if precision == Precision.FP32 else [precision]
    if rewrites is not None and not rewrites:
        marks.append("baseline")
    return "-".join((model, size, *marks)) + target.suffix


def export_checkpoint(
    checkpoint: Path,
    target: Target,
    *,
    spec: IOSpec,
    output: Path,
    model: str | None = None,
    allow_changed: bool = False,
    precision: str = Precision.FP32,
    options: PrecisionOptions | None = None,
    rewrites: Sequence[str] | None = None,
    photos: Sequence[NDArray[np.uint8]] = (),
    session: Fit | None = None,
    stage: Stage = lambda _: None,
) -> Exported:
    """Export a checkpoint to one target and verify the result.

    Args:
        checkpoint: `.pth` or `.safetensors`.
        spec: size and number of clicks; `prev_mask` is taken from the checkpoint. A size of None
            makes an artifact for any height and width, where the target can.
        output: folder for the artifact; an older one of the same name is replaced at the end.
        model: expected model name; None accepts any.
        allow_changed: see `load_checkpoint`.
        precision: "fp32" or one of `target.precisions`.
        options: how to reach and judge a precision below fp32; None takes the defaults.
        rewrites: names of exact rewrites to apply to the graph before it is converted; None takes
            those that win on the target, an empty sequence makes the baseline graph.
        photos: uint8 RGB photos to verify on, beside the synthetic cases.
        session: add the graphs of a session that shows crops with this fit; None adds none.
        stage: told what is being done.

    Raises:
        ParityError: the artifact disagrees with PyTorch or loses too much, or its session graphs
            with the Python session; nothing is left behind.
        UsageError: a dynamic size, a precision or session graphs for a target without them, or
            options that do nothing at this precision.
        ConversionError, CheckpointError, OutputFileError: as their names say.
    """
    reference = open_checkpoint(ModelFile(checkpoint, allow_changed=allow_changed))
    config = reference.model.config
    if model is not None and config.name != model:
        raise UsageError(
            f"{checkpoint} holds {config.name}, not {model}: pass --model {config.name} or the "
            "checkpoint of that model."
        )
    spec = replace(spec, prev_mask=config.prev_mask)
    path = output / artifact_name(config.name, spec, target, precision, rewrites)
    info = ArtifactInfo(
        model=config.as_dict(),
        io=spec,
        target=target.name,
        precision=precision,
        checkpoint_sha256=sha256_of(checkpoint),
        tool_versions=tool_versions(*target.packages),
    )
    return export_model(
        reference,
        info,
        target,
        path,
        options=options,
        rewrites=rewrites,
        photos=photos,
        session=session,
        stage=stage,
    )


def export_model(
    reference: PytorchRuntime,
    info: ArtifactInfo,
    target: Target,
    path: Path,
    *,
    options: PrecisionOptions | None = None,
    rewrites: Sequence[str] | None = None,
    photos: Sequence[NDArray[np.uint8]] = (),
    session: Fit | None = None,
    stage: Stage = lambda _: None,
) -> Exported:
    """Convert a loaded model, stamp `info`, verify, and move the result to `path`.

    Args and errors: as `export_checkpoint`.
    """
    options = options or PrecisionOptions()
    options.check(info.precision)
    reduced = find_precision(target, info.precision)
    if info.io.size is None and not (reduced or target).any_size:
        raise UsageError(
            f"the target {target.name} needs a fixed size: leave out --dynamic or give --size HxW."
        )
    if rewrites is None:
        rewrites = reduced.rewrites if reduced else target.rewrites
    if session is not None and (target.add_session is None or info.io.size is None):
        raise UsageError(
            f"the target {target.name} has no session graphs at {info.io.size or 'any size'}: "
            "leave out --session, or export to onnx or tflite with a fixed size."
        )
    with atomic_output(path) as temporary, _folder_beside(path, temporary):
        graph, applied = rewrite(reference.model, info.io, rewrites)
        info = replace(info, rewrites=applied)
        any_size = info.io.size is None
        source = ExportInput(graph, example_inputs(info.io), (MASK,), any_size=any_size)
        if reduced is not None:
            source, info = _reduce(source, info, reduced, options, reference, stage)
        stage("converting")
        started = time.monotonic()
        (reduced or target).convert(source, temporary)
        if session is not None and target.add_session is not None:
            settings = StepSettings(info.io, MASK_THRESHOLD, session)
            info = replace(info, session=settings.facts | target.add_session(settings, temporary))
        seconds = time.monotonic() - started
        stage("verifying")
        artifact = ModelFile(temporary, allow_changed=True, info=info).open()
        report = compare(
            artifact, reference, parity_cases(info.io, photos=photos), target.tolerance
        )
        report = replace(report, artifact=path.name)
        task = None
        if reduced is None:
            report.require_passed()
        else:
            task = accept(
                artifact,
                reference,
                options.samples or sample_objects(),
                reduced.tolerance,
                benchmark=options.benchmark,
                progress=stage,
            )
            task = replace(task, artifact=path.name)
            if not options.accept_loss:
                task.require_passed()
        if info.session is not None:
            stage("verifying the session of")
            clicked = check_session(artifact, clicks=SESSION_CLICKS, seed=SESSION_SEED)
            clicked.require_passed(path.name)
            info = replace(info, session={**info.session, "verified": clicked.summary()})
        artifact.close()
        stage("emulating half precision of")
        half = examine(source, reference, info)
        # The task decides where there is one: its "passed" replaces that of the differences.
        summary = {**report.summary(), **({} if task is None else task.summary())}
        noted = None if half is None else half.summary()
        target.stamp(temporary, replace(info, parity=summary, half_precision=noted).to_json())
    megabytes = size_in_bytes(path) / 1e6
    return Exported(target.name, path, megabytes, seconds, applied, report, task, half)


@contextmanager
def _folder_beside(path: Path, temporary: Path) -> Iterator[None]:
    """Session graphs in files of their own get their folder's name just before the network's."""
    made, place = (each.with_suffix(SESSION_SUFFIX) for each in (temporary, path))
    try:
        yield
        if made.is_dir():
            move_into_place(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _reduce(
    source: ExportInput,
    info: ArtifactInfo,
    reduced: ReducedPrecision,
    options: PrecisionOptions,
    reference: PytorchRuntime,
    stage: Stage,
) -> tuple[ExportInput, ArtifactInfo]:
    """Both completed with how numbers are reduced."""
    keep_float = reduced.keep_float if options.keep_float is None else options.keep_float
    calibration = Calibration((), "none")
    if reduced.calibrated:
        stage("calibrating")
        calibration = record_calibration(reference, info.io, options.calibration)
    reduction = {
        "calibration": calibration.source,
        "calibration_inputs": len(calibration.inputs),
        "kept_float": list(keep_float),
    }
    source = replace(source, calibration=calibration.inputs, keep_float=keep_float)
    return source, replace(info, reduction=reduction)
