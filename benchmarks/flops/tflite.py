"""Counts the operators of a .tflite file; its shapes are fixed and written in it."""

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.tflite import read_flatbuffer
from ritm_edge.errors import ArtifactError
from ritm_edge.optional import require

from .convention import ACTIVATION, REDUCTION, Count, Rule, by_operation, rule_of

RULES = by_operation(
    {
        Rule.RELU: "RELU",
        Rule.CLAMP: "LEAKY_RELU PRELU RELU6",
        Rule.SIGMOID: "HARD_SWISH LOGISTIC TANH",
        Rule.SOFTMAX: "SOFTMAX",
        Rule.BILINEAR: "RESIZE_BILINEAR",
        Rule.NEAREST: "RESIZE_NEAREST_NEIGHBOR",
        Rule.QUANTISE: "DEQUANTIZE QUANTIZE",
        Rule.CALCULATE: (
            "ABS ADD CEIL DIV EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GREATER GREATER_EQUAL LESS "
            "LESS_EQUAL LOGICAL_AND LOGICAL_NOT LOGICAL_OR MAXIMUM MINIMUM MUL NEG NOT_EQUAL POW "
            "ROUND RSQRT SELECT SELECT_V2 SIGN SQRT SQUARE SUB"
        ),
        Rule.SQUARED_DIFFERENCE: "SQUARED_DIFFERENCE",
        Rule.REDUCE: "MEAN REDUCE_ANY REDUCE_MAX REDUCE_MIN SUM",
        Rule.MOVE: (
            "BATCH_TO_SPACE_ND BROADCAST_TO CAST CONCATENATION EXPAND_DIMS FILL GATHER GATHER_ND "
            "MIRROR_PAD PACK PAD PADV2 RANGE RESHAPE REVERSE_V2 SCATTER_ND SHAPE SLICE "
            "SPACE_TO_BATCH_ND SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE UNPACK ZEROS_LIKE"
        ),
    }
)
WINDOWS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# Fused activation (flatbuffer enum ActivationFunctionType) → FLOPs of each element.
FUSED = {
    0: 0,
    1: Rule.RELU.per_element,
    2: Rule.CLAMP.per_element,
    3: Rule.CLAMP.per_element,
    4: Rule.SIGMOID.per_element,
}

ABSENT = -1  # index of an optional input that is not given

Shape = tuple[int, ...]


def count_tflite(path: Path) -> dict[str, Count]:
    """Signature name → count of one run of an artifact that its runtime has opened already. Raises
    ArtifactError: damaged, or not made by this project; UnsupportedOperationError: an operator
    without a convention; the message names it."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    flatbuffer = read_flatbuffer(path, allow_changed=True)
    codes = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_") and isinstance(value, int)
    }
    try:
        model = schema.Model.GetRootAs(flatbuffer, 0)
        signatures = {
            model.SignatureDefs(i).SignatureKey().decode(): model.SignatureDefs(i).SubgraphIndex()
            for i in range(model.SignatureDefsLength())
        }
        return {
            name: _Graph(schema, codes, model, index, path).count()
            for name, index in (signatures or {"": 0}).items()
        }
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ArtifactError(
            f"{path} holds a malformed flatbuffer ({type(error).__name__}): export it again."
        ) from error


class _Graph:
    """One subgraph."""

    def __init__(
        self, schema: Any, codes: Mapping[int, str], model: Any, index: int, path: Path
    ) -> None:
        self.schema, self.codes, self.model, self.path = schema, codes, model, path
        self.graph = model.Subgraphs(index)
        self.constants = {
            i
            for i in range(self.graph.TensorsLength())
            if model.Buffers(self.graph.Tensors(i).Buffer()).DataLength()
        }

    def count(self) -> Count:
        count = Count()
        for index in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(index)
            inputs = {operator.Inputs(i) for i in range(operator.InputsLength())} - {ABSENT}
            if inputs <= self.constants:
                self.constants |= {operator.Outputs(i) for i in range(operator.OutputsLength())}
                continue
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            # Operators from 127 on are in the newer field only.
            name = self.codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            self._add(count, name, operator)
        return count

    def _add(self, count: Count, name: str, operator: Any) -> None:
        inputs = [self._shape(operator.Inputs(i)) for i in range(operator.InputsLength())]
        result = self._shape(operator.Outputs(0))
        if name in CONVOLUTIONS:
            self._add_convolution(count, name, inputs, result, operator)
        elif name == "FULLY_CONNECTED":
            weight = inputs[1]
            bias = len(inputs) > 2 and operator.Inputs(2) != ABSENT
            fused = self._fused(operator, "FullyConnectedOptions")
            count.add_product(result, inner=weight[-1], per_element=int(bias) + fused)
            count.parameters += prod(weight) + (weight[0] if bias else 0)
        elif name == "BATCH_MATMUL":
            options = self._options(operator, "BatchMatMulOptions")
            inner = inputs[0][-2] if options is not None and options.AdjX() else inputs[0][-1]
            count.add_product(result, inner=inner)
        elif name in WINDOWS:
            options = self._options(operator, "Pool2DOptions")
            window = options.FilterHeight() * options.FilterWidth()
            count.add_elements(REDUCTION, result, window)
        else:
            rule = rule_of(name, RULES, self.path)
            fused = 0
            if name in ("ADD", "SUB", "MUL", "DIV"):
                fused = self._fused(operator, f"{name.capitalize()}Options")
            shape = inputs[0] if rule.of_input else result
            count.add_elements(rule.kind, shape, rule.per_element + fused)

    def _add_convolution(
        self, count: Count, name: str, inputs: list[Shape], result: Shape, operator: Any
    ) -> None:
        depthwise = name == "DEPTHWISE_CONV_2D"
        # [outputs, height, width, inputs]; depthwise [1, height, width, outputs]
        weight = inputs[1]
        count.add_convolution(
            result,
            channels=result[3],
            window=weight[1] * weight[2],
            inputs=1 if depthwise else weight[3],
            groups=inputs[0][3] if depthwise else inputs[0][3] // weight[3],
            bias=len(inputs) > 2 and operator.Inputs(2) != ABSENT,
        )
        options = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
        per_element = self._fused(operator, options)
        if per_element:
            count.add_elements(ACTIVATION, result, per_element)

    def _fused(self, operator: Any, options: str) -> int:
        found = self._options(operator, options)
        return 0 if found is None else FUSED[found.FusedActivationFunction()]

    def _options(self, operator: Any, name: str) -> Any:
        table = operator.BuiltinOptions()
        if table is None:
            return None
        options = getattr(self.schema, name)()
        options.Init(table.Bytes, table.Pos)
        return options

    def _shape(self, index: int) -> Shape:
        if index == ABSENT:
            return ()
        tensor = self.graph.Tensors(index)
        return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))
