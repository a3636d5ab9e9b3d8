"""Core ML: an ML Program in fp32, fp16 or int8 for iOS 16, macOS 13 and later."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY, Precision
from ritm_edge.artifacts.mlprogram.library import import_coremltools
from ritm_edge.artifacts.mlprogram.package import open_package, other_contents, parse_model
from ritm_edge.errors import ConversionError, UsageError, first_line
from ritm_edge.files import atomic_output
from ritm_edge.io_spec import CLICKS
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..coreml_precision import store_in_int8
from ..export_input import ExportInput
from ..precision import FP16_TASK, INT8_TASK, ReducedPrecision
from ..quiet import quiet
from ..rewrites import FOLD_AND_DROP
from ..target import Target

# coremltools writes it beside the program of a torch.export source; nothing of Core ML reads it.
DEBUG_FILE = "executorch_debug_handle_mapping.json"


def convert(source: ExportInput, path: Path, *, precision: Precision = Precision.FP32) -> None:
    """Write an .mlpackage of static shape; float32 arrays in and out under the given names.

    Args:
        source: with float32 inputs.
        path: folder to write.
        precision: "fp16" computes in float16, the only type of Apple's neural engine, except for
            the click encoding, whose squared distances would be rounded or overflow; "int8"
            computes the same from weights stored in 8 bits.

    Raises:
        ConversionError: the converter failed.
        UsageError: `source` names an unknown layer to keep.
        MissingExtraError: coremltools is not installed.
    """
    try:
        with quiet() as log:
            coremltools = import_coremltools()
            exported = torch.export.export(source.graph.eval(), (), dict(source.example))
            model = coremltools.convert(
                exported.run_decompositions({}),
                convert_to="mlprogram",
                outputs=[
                    coremltools.TensorType(name=name, dtype=np.float32)
                    for name in source.output_names
                ],
                compute_precision=(
                    coremltools.precision.FLOAT32
                    if precision == Precision.FP32
                    else coremltools.transform.FP16ComputePrecision(op_selector=_sees_a_photo)
                ),
                minimum_deployment_target=coremltools.target.iOS16,
                skip_model_load=True,
            )
            if precision == Precision.INT8:
                model = store_in_int8(model, source.keep_float)
            model.save(str(path))
    except (OSError, ImportError, UsageError):
        raise
    except Exception as error:  # any converter exception is a failed conversion
        error.add_note(log.getvalue())
        raise ConversionError(
            f"coremltools could not convert the model ({type(error).__name__}: "
            f"{first_line(error)}): check that torch and coremltools have the versions of "
            "constraints.txt."
        ) from error
    (path / DEBUG_FILE).unlink(missing_ok=True)
    _normal_permissions(path)
    package = open_package(path)
    names = (set(package.inputs), set(package.outputs))
    if names != (set(source.example), set(source.output_names)):
        raise ConversionError(
            f"coremltools renamed the tensors to {names[0]} -> {names[1]}: check that it has the "
            "version of constraints.txt."
        )


def _sees_a_photo(operation: Any) -> bool:
    """Whether anything but clicks and constants decides what a MIL operation computes."""
    pending, known, inputs = [operation], {id(operation)}, set()
    while pending:
        for value in pending.pop().inputs.values():
            for tensor in value if isinstance(value, list | tuple) else [value]:
                if tensor.op is None:
                    inputs.add(tensor.name)
                elif id(tensor.op) not in known:
                    known.add(id(tensor.op))
                    pending.append(tensor.op)
    return not inputs <= {CLICKS}


def stamp(path: Path, text: str) -> None:
    """Write the self-description, with its checksum, into the model's user-defined metadata. Raises
    ArtifactError: no ML Program at `path`; OutputFileError: it cannot be written; the old
    description stays."""
    package = open_package(path)
    specification = package.spec_file
    model = parse_model(specification.read_bytes())
    model.description.metadata.userDefined[METADATA_KEY] = text
    with atomic_output(specification) as temporary:
        described = model.SerializeToString(deterministic=True)
        temporary.write_bytes(seal(described, *other_contents(path, specification)))


def _normal_permissions(path: Path) -> None:
    """coremltools builds the package in a private temporary folder and keeps its permissions."""
    mask = os.umask(0)
    os.umask(mask)
    for entry in (path, *path.rglob("*")):
        entry.chmod((0o777 if entry.is_dir() else 0o666) & ~mask)


TARGETS = (
    Target(
        name="coreml",
        suffix=".mlpackage",
        tolerance=FP32_TOLERANCE,
        packages=("torch", "coremltools"),
        convert=convert,
        stamp=stamp,
        # Whether the other passes win on Apple's engines has not been measured.
        rewrites=FOLD_AND_DROP,
        precisions={
            Precision.FP16: ReducedPrecision(
                partial(convert, precision=Precision.FP16), FP16_TASK, rewrites=FOLD_AND_DROP
            ),
            Precision.INT8: ReducedPrecision(
                partial(convert, precision=Precision.INT8), INT8_TASK, rewrites=FOLD_AND_DROP
            ),
        },
    ),
)
