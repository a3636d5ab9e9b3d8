"""Session graphs as further signatures of a .tflite file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.tflite import read_flatbuffer
from ritm_edge.errors import ConversionError
from ritm_edge.files import scratch_folder, write_output

from ..tflite.flatbuffer import name_tensors, pack, unpack
from ..tflite.process import run_worker
from .steps import StepSettings, all_steps
from .tensorflow import LARGEST_PHOTO, SCREEN, as_text

WORKER = "ritm_edge.export.session_graphs.tensorflow"


def add_session_graphs(settings: StepSettings, path: Path) -> dict[str, Any]:
    """Convert every graph and append it to the file.

    Returns:
        What the self-description says of them: the lengths that are fixed.

    Raises:
        ConversionError: TensorFlow's converter failed.
    """
    settings = replace(settings, channels_last=True)
    model = unpack(read_flatbuffer(path, allow_changed=True))
    with scratch_folder() as folder:
        files = {name: folder / f"{name}.tflite" for name in all_steps(settings)}
        last = list(files.values())[-1]
        reason = run_worker(WORKER, as_text(settings), folder, makes=last)
        if reason is not None:
            raise ConversionError(
                f"TensorFlow could not convert the session graphs ({reason}): check that "
                "tensorflow has the version of constraints.txt, or pass --no-session."
            )
        for name, file in files.items():
            _append(model, unpack(file.read_bytes()), name)
    name_tensors(model)
    write_output(path, pack(model))
    return {
        "largest_photo": LARGEST_PHOTO,
        "screen_rows": SCREEN[0],
        "screen_columns": SCREEN[1],
    }


def _append(model: Any, other: Any, name: str) -> None:
    """Add the one graph of another model, in place, as the signature `name`."""
    buffers, codes, graphs = len(model.buffers), len(model.operatorCodes), len(model.subgraphs)
    (graph,), (signature,) = other.subgraphs, other.signatureDefs
    model.buffers += other.buffers
    model.operatorCodes += other.operatorCodes
    for tensor in graph.tensors:
        tensor.buffer += buffers
    for operator in graph.operators:
        operator.opcodeIndex += codes
    graph.name = signature.signatureKey = name.encode()
    signature.subgraphIndex = graphs
    model.subgraphs.append(graph)
    model.signatureDefs.append(signature)
