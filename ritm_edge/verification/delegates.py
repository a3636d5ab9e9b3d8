"""Which accelerators take which operations of a file, as far as lists and checkers can tell.

Only names, and the two rules that our graphs met, are checked, not every condition of an engine.
"""

import contextlib
import functools
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..artifacts.tflite import read_flatbuffer
from ..errors import UsageError
from ..optional import require

# The builtin operators that LiteRT's GPU accelerator parses (ml_drift's TFLite model builder).
LITERT_GPU = frozenset(
    "ABS ADD ADD_N ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL BROADCAST_TO CAST CEIL CONCATENATION "
    "CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV DYNAMIC_UPDATE_SLICE ELU "
    "EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU "
    "GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT "
    "LOGICAL_OR LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL "
    "ONE_HOT PACK PAD PADV2 POW PRELU REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN "
    "REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR "
    "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX "
    "SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH "
    "TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV UNPACK".split()
)


@dataclass(frozen=True)
class Delegate:
    """What one engine would take.

    Attributes:
        engine: its name.
        taken, operations: how many of how many; None where only the engine's verdict is known.
        partitions: runs of operations that it takes; one is best.
        refused: kinds of operations that it leaves to the CPU, or its own words.
    """

    engine: str
    taken: int | None
    operations: int
    partitions: int | None
    refused: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.refused and self.partitions in (1, None)


def delegates(path: Path, *, allow_changed: bool = False) -> list[Delegate]:
    """Ask for every engine that reads such a file.

    Args:
        path: .onnx or .tflite.
        allow_changed: as `open_runtime`.

    Raises:
        UsageError: another kind of file.
        ArtifactError, MissingExtraError: as their names say.
    """
    if path.suffix == ".onnx":
        return _of_onnx(path)
    if path.suffix == ".tflite":
        return _of_tflite(read_flatbuffer(path, allow_changed=allow_changed))
    raise UsageError(
        f"{path} goes to one engine, which takes it whole or not at all: pass an .onnx or .tflite "
        "file to --delegates."
    )


def _of_onnx(path: Path) -> list[Delegate]:
    """ONNX Runtime's own check of graphs for mobile engines."""
    require("onnx", extra="onnx")
    tools = require("onnxruntime.tools.onnx_model_utils", extra="onnx")
    checks = require("onnxruntime.tools.mobile_helpers.usability_checker", extra="onnx")
    model = tools.ModelProtoWithShapeInfo(path).model_with_shape_info
    core_ml = functools.partial(checks.check_coreml_partitions, model, True)
    found = {
        "ONNX Runtime, NNAPI": checks.check_nnapi_partitions(model, True),
        "ONNX Runtime, Core ML (NeuralNetwork)": core_ml("coreml_supported_neuralnetwork_ops.md"),
        "ONNX Runtime, Core ML (MLProgram)": core_ml("coreml_supported_mlprogram_ops.md"),
    }
    return [
        Delegate(
            engine,
            info.num_supported_nodes,
            info.num_nodes,
            info.num_partitions,
            tuple(sorted(name.removeprefix("ai.onnx:") for name in info.unsupported_ops))
            + (("tensors of open size",) if info.nodes_unsupported_due_to_dynamic_input else ())
            + tuple(sorted(info.ops_with_unsupported_rank)),
        )
        for engine, info in found.items()
    ]


def _of_tflite(flatbuffer: bytes) -> list[Delegate]:
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite-runtime")
    interpreter = require("ai_edge_litert.interpreter", extra="tflite-runtime")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    graph = model.subgraphs[0]
    kinds = [names[model.operatorCodes[each.opcodeIndex].builtinCode] for each in graph.operators]
    refusals = [_gpu_refusal(model, *each) for each in zip(kinds, graph.operators, strict=True)]
    runs = sum(taken for taken, _ in itertools.groupby(not each for each in refusals))
    refused = [each for each in refusals if each]
    found = [
        Delegate(
            "LiteRT GPU (by name)",
            len(kinds) - len(refused),
            len(kinds),
            runs,
            tuple(sorted(set(refused))),
        )
    ]
    # Those of the interpreter that is installed, in earnest.
    opened = interpreter.Interpreter(model_content=flatbuffer, num_threads=1)
    opened.allocate_tensors()
    parts = sum(each["op_name"] == "DELEGATE" for each in opened._get_ops_details())
    found.append(Delegate("LiteRT CPU, XNNPACK", None, len(kinds), parts, ()))
    if find_spec("tensorflow") is not None:
        found.append(_analyzed(flatbuffer, len(kinds)))
    return found


def _gpu_refusal(model: Any, kind: str, operator: Any) -> str:
    """Why LiteRT's GPU accelerator leaves an operation out; empty where it takes it."""
    tensors = model.subgraphs[0].tensors
    constant = [
        model.buffers[tensors[index].buffer].data is not None if index >= 0 else False
        for index in operator.inputs
    ]
    if kind not in LITERT_GPU:
        return kind
    if kind == "BATCH_MATMUL" and constant == [True, False]:
        return "BATCH_MATMUL of a constant with a computed tensor"
    if kind == "BATCH_MATMUL":  # taken without a word, and computed wrong
        shapes = [tuple(tensors[index].shape) for index in operator.inputs]
        if len({shape[:-2] for shape in shapes}) > 1:
            return "BATCH_MATMUL of batches of different sizes"
        if len(shapes[0]) < 4:
            return "BATCH_MATMUL of fewer than four axes"
    if kind == "GATHER" and len(tensors[operator.inputs[1]].shape) > 1:
        return "GATHER with two-dimensional indices"
    return ""


def _analyzed(flatbuffer: bytes, operations: int) -> Delegate:
    """TensorFlow's analyzer of the older GPU delegate."""
    tensorflow = require("tensorflow", extra="tflite")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        tensorflow.lite.experimental.Analyzer.analyze(
            model_content=flatbuffer, gpu_compatibility=True
        )
    lines: Sequence[str] = printed.getvalue().splitlines()
    refused = [line.strip() for line in lines if "GPU COMPATIBILITY WARNING" in line]
    compatible = any("looks compatible with GPU delegate" in line for line in lines)
    words = tuple(dict.fromkeys(refused)) or (() if compatible else ("no verdict",))
    return Delegate("TFLite GPU delegate (TensorFlow's analyzer)", None, operations, None, words)
