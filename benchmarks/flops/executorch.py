"""Counts the operations of a .pte file: the operators of its program, and the nodes of the graphs
that the program hands to XNNPACK; all shapes are fixed."""

import json
import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.executorch import read_program
from ritm_edge.files import scratch_folder
from ritm_edge.optional import require
from ritm_edge.runtimes.executorch_light import METHOD
from ritm_edge.runtimes.silence import without_warnings

from .convention import REDUCTION, Count, Rule, by_operation, rule_of

EXTRA = "executorch"
# Of nodes of XNNPACK ("XNNAdd") and of operators ("add").
RULES = by_operation(
    {
        Rule.RELU: "relu",
        Rule.CLAMP: "XNNLeakyReLU XNNPReLU clamp hardtanh leaky_relu",
        Rule.SIGMOID: "XNNHardswish XNNSigmoid XNNTanh sigmoid tanh",
        Rule.SOFTMAX: "XNNSoftmax _softmax",
        Rule.BILINEAR: "XNNStaticResizeBilinear2D upsample_bilinear2d",
        Rule.QUANTISE: "XNNConvert dequantize_per_tensor quantize_per_tensor",
        Rule.CALCULATE: (
            "XNNAbs XNNAdd XNNCeiling XNNDiv XNNExp XNNFloor XNNMaximum XNNMinimum XNNMultiply "
            "XNNNegate XNNReciprocalSquareRoot XNNSquare XNNSquareRoot XNNSubtract abs add "
            "bitwise_and bitwise_not bitwise_or div eq exp ge gt le logical_and logical_not "
            "logical_or lt maximum minimum mul ne neg pow rsqrt rsub sqrt sub where"
        ),
        Rule.REDUCE: "XNNGlobalAvgPooling2d amax amin any max mean min sum",
        Rule.MOVE: (
            "XNNConcatenate2 XNNConcatenate3 XNNConcatenate4 XNNConcatenate5 XNNCopy "
            "XNNStaticConstantPad XNNStaticReshape XNNStaticSlice XNNStaticTranspose "
            "_to_dim_order_copy arange cat clone constant_pad_nd expand_copy full index "
            "index_select permute_copy scalar_tensor select_copy slice_copy split_copy "
            "split_with_sizes_copy squeeze_copy unsqueeze_copy view_copy"
        ),
    }
)
CONVOLUTIONS = ("XNNConv2d", "XNNDepthwiseConv2d")
WINDOWS = ("XNNAvgPooling2d", "XNNMaxPooling2d")
ABSENT = (1 << 32) - 1  # number of an input that is not given


def count_executorch(path: Path) -> Count:
    """Count one run of an artifact that its runtime has opened already. Raises
    UnsupportedOperationError: an operation without a convention; the message names it."""
    content, _ = read_program(path, allow_changed=True)
    with without_warnings():  # of torchao, which is imported with it
        serialize = require("executorch.exir._serialize._program", extra=EXTRA)
    program = serialize.deserialize_pte_binary(content).program
    count = Count()
    (plan,) = (each for each in program.execution_plan if each.name == METHOD)
    for instruction in (each for chain in plan.chains for each in chain.instructions):
        call = instruction.instr_args
        if hasattr(call, "delegate_index"):
            place = plan.delegates[call.delegate_index].processed.index
            _add_graph(count, _read_graph(bytes(program.backend_delegate_data[place].data)), path)
        elif hasattr(call, "op_index"):
            name = plan.operators[call.op_index].name.split("::")[-1]
            rule = rule_of(name, RULES, path)
            value = plan.values[call.args[0 if rule.of_input else -1]].val
            count.add_by_rule(rule, getattr(value, "sizes", (0,)))  # a split has several results
    return count


def _read_graph(data: bytes) -> dict[str, Any]:
    """What a delegate gives to XNNPACK. Its format can only be read by the flatc program that
    ExecuTorch brings, which writes it as JSON."""
    xnnpack = require(
        "executorch.backends.xnnpack.serialization.xnnpack_graph_serialize", extra=EXTRA
    )
    flatbuffer = require("executorch.exir._serialize._flatbuffer", extra=EXTRA)
    header = xnnpack.XNNHeader.from_bytes(data[: xnnpack.XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    with scratch_folder() as folder:
        schema, graph = folder / "schema.fbs", folder / "graph.bin"
        schema.write_bytes(xnnpack._get_schema_bytes())
        graph.write_bytes(data[start : start + header.flatbuffer_size])
        flatbuffer._flatc_decompile(str(folder), str(schema), str(graph))
        text = graph.with_suffix(".json").read_text()
    values: dict[str, Any] = json.loads(re.sub(r": (-?)inf\b", r': "\1inf"', text))
    return values


def _add_graph(count: Count, graph: Mapping[str, Any], path: Path) -> None:
    tensors = [each["xvalue_union"] for each in graph["xvalues"]]
    tensors = [each.get("tensor_value", each) for each in tensors]
    shapes = {tensor["id_out"]: tensor.get("dims", ()) for tensor in tensors}
    for each in graph["xnodes"]:
        kind, node = each["xnode_union_type"], each["xnode_union"]
        source = shapes[node["input1_id" if "input1_id" in node else "input_id"]]
        result = shapes[node["output_id"]]
        if kind in CONVOLUTIONS:
            count.add_convolution(
                result,
                channels=node["groups"] * node["group_output_channels"],
                window=node["kernel_height"] * node["kernel_width"],
                inputs=node["group_input_channels"],
                groups=node["groups"],
                bias=node["bias_id"] != ABSENT,
            )
        elif kind == "XNNFullyConnected":
            bias = int(node["bias_id"] != ABSENT)
            count.add_product(result, inner=source[-1], per_element=bias)
            count.parameters += (source[-1] + bias) * result[-1]
        elif kind == "XNNBatchMatrixMultiply":
            count.add_product(result, inner=source[-1])
        elif kind in WINDOWS:
            window = node["pooling_height"] * node["pooling_width"]
            count.add_elements(REDUCTION, result, window)
        elif kind != "XNNClamp":
            rule = rule_of(kind, RULES, path)
            count.add_by_rule(rule, source if rule.of_input else result)
        if each.get("output_min_max"):
            lowest, highest = map(float, each["output_min_max"].values())
            rule = Rule.RELU if (lowest, highest) == (0, inf) else Rule.CLAMP
            count.add_by_rule(rule, result)
