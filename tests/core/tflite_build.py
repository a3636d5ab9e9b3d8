"""A .tflite file made by hand: mask = mean over the channels of image, times prev_mask."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY, ArtifactInfo
from ritm_edge.export.tflite.flatbuffer import pack, set_metadata
from ritm_edge.io_spec import IOSpec

HEIGHT, WIDTH, CLICKS = 32, 40, 2
SPEC = IOSpec(HEIGHT, WIDTH, CLICKS)
SHAPES = {
    "image": (1, HEIGHT, WIDTH, 3),
    "clicks": (1, 2 * CLICKS, 3),
    "prev_mask": (1, HEIGHT, WIDTH, 1),
}
MASK_SHAPE = (1, HEIGHT, WIDTH, 1)
IMAGE, PREV_MASK, MEAN, MASK, AXIS = 0, 2, 3, 4, 5


def info(spec: IOSpec = SPEC, **changes: Any) -> ArtifactInfo:
    values: dict[str, Any] = {
        "model": {"name": "mean"},
        "target": "tflite",
        "precision": "fp32",
        "checkpoint_sha256": "0" * 64,
    }
    return ArtifactInfo(io=spec, **{**values, **changes})


def model(
    *,
    names: Sequence[str] = ("image", "clicks", "prev_mask"),
    output: str = "mask",
    signature: str = "serving_default",
) -> Any:
    """`ModelT`; `names` and `output` are what the signature calls the tensors."""
    float32 = schema.TensorType.FLOAT32
    tensors = [tensor(name, shape, float32) for name, shape in SHAPES.items()]
    tensors += [tensor("mean", MASK_SHAPE, float32), tensor("mask", MASK_SHAPE, float32)]
    tensors.append(tensor("axis", (1,), schema.TensorType.INT32, buffer=1))
    codes = [
        schema.OperatorCodeT(deprecatedBuiltinCode=code, version=1, builtinCode=code)
        for code in (schema.BuiltinOperator.MEAN, schema.BuiltinOperator.MUL)
    ]
    mean = schema.OperatorT(
        opcodeIndex=0,
        inputs=[IMAGE, AXIS],
        outputs=[MEAN],
        builtinOptionsType=schema.BuiltinOptions.ReducerOptions,
        builtinOptions=schema.ReducerOptionsT(keepDims=True),
    )
    product = schema.OperatorT(
        opcodeIndex=1,
        inputs=[MEAN, PREV_MASK],
        outputs=[MASK],
        builtinOptionsType=schema.BuiltinOptions.MulOptions,
        builtinOptions=schema.MulOptionsT(),
    )
    graph = schema.SubGraphT(
        tensors=tensors, inputs=[0, 1, 2], outputs=[MASK], operators=[mean, product]
    )
    entry = schema.SignatureDefT(
        inputs=[schema.TensorMapT(name, index) for index, name in enumerate(names)],
        outputs=[schema.TensorMapT(output, MASK)],
        signatureKey=signature,
        subgraphIndex=0,
    )
    return schema.ModelT(
        version=3,
        operatorCodes=codes,
        subgraphs=[graph],
        description="",
        buffers=[schema.BufferT(), schema.BufferT(np.array([3], np.int32).tobytes())],
        signatureDefs=[entry],
    )


def tensor(name: str, shape: Sequence[int], dtype: int, *, buffer: int = 0) -> Any:
    return schema.TensorT(shape=list(shape), type=dtype, buffer=buffer, name=name, hasRank=True)


def write(path: Path, built: Any = None, text: str | None = None) -> Path:
    """A sealed file with `text` (default: a matching self-description) as its metadata."""
    built = built or model()
    set_metadata(built, METADATA_KEY, info().to_json() if text is None else text)
    path.write_bytes(seal(pack(built)))
    return path


def inputs(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Dark images, so that the mean times the mask stays a probability."""
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 2, (1, 3, HEIGHT, WIDTH)).astype(np.float32),
        "clicks": np.full((1, 2 * CLICKS, 3), -1, np.float32),
        "prev_mask": rng.random((1, 1, HEIGHT, WIDTH)).astype(np.float32),
    }
