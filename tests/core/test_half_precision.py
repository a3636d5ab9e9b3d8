"""The emulator of half precision on graphs whose faults are known."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.onnx import open_session
from ritm_edge.verification.half_graph import FINITE, HalfMode, half_graph
from ritm_edge.verification.half_precision import EmulatedDevice, HalfReport

SHAPE = (1, 3, 32, 32)
INPUTS = {"image": np.full(SHAPE, 100.0), "clicks": -np.ones((1, 2, 3))}


def graph(*nodes, **constants):
    """image [1, 3, 32, 32] and clicks → mask [1, 1, 32, 32], which `nodes` compute from image."""
    values = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE),
        helper.make_tensor_value_info("clicks", TensorProto.FLOAT, (1, 2, 3)),
    ]
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, None)
    arrays = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    made = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "g",
                             values, [mask], arrays)  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def node(kind, inputs, output, **options):
    return kind, inputs, [output], options


def f32(value):
    return np.asarray(value, np.float32)


def device(model, mode):
    emulated = EmulatedDevice(model, IOSpec(32, 32, 1, prev_mask=False), mode)
    emulated.run(INPUTS)
    return emulated


OVERFLOW = graph(
    node("Mul", ["image", "c"], "large"), node("Div", ["large", "c"], "mask"), c=f32(1000)
)
NAN = graph(
    node("Mul", ["image", "c"], "large"),
    node("Sub", ["large", "large"], "nothing"),
    node("Relu", ["nothing"], "mask"),
    c=f32(1000),
)
LOSS = graph(node("Add", ["image", "c"], "sum"), node("Sub", ["sum", "c"], "mask"), c=f32(50000))
TINY = graph(node("Mul", ["image", "c"], "tiny"), node("Mul", ["tiny", "d"], "mask"),
             c=f32(2e-7), d=f32(30000))  # fmt: skip


@pytest.mark.parametrize("mode", HalfMode)
def test_the_first_tensor_that_overflows_or_loses_is_named(mode):
    overflowing = device(OVERFLOW, mode)
    assert not overflowing.finite
    assert overflowing.first_loss() == "Mul 'large' overflows"
    hidden = device(NAN, mode)
    assert not hidden.finite
    assert hidden.first_loss().endswith("overflows")
    rounded = device(LOSS, mode)
    assert rounded.finite
    assert rounded.first_loss(0.01) == "Sub 'mask' loses 4% of its root mean square"
    assert rounded.first_loss(0.9) == ""


def test_nan_that_the_result_hides_is_found():
    """ReLU of NaN is 0 in many engines; here the graph alone tells."""
    session = open_session(half_graph(NAN, HalfMode.RESULTS)[0].SerializeToString())
    inputs = {k: f32(v) for k, v in INPUTS.items()}
    finite = session.run([FINITE], inputs)[0]
    assert np.isnan(finite[:2]).all()


@pytest.mark.parametrize(
    ("mode", "kept"), [("results", True), ("flushed", False), ("storage", True)]
)
def test_only_one_mode_flushes_denormal_numbers(mode, kept):
    mask = device(TINY, HalfMode(mode)).run(INPUTS)["mask"]
    assert bool(mask.all()) is kept


@pytest.mark.parametrize(
    ("mode", "stuck"), [("results", True), ("flushed", True), ("storage", False)]
)
def test_sums_are_float16_where_a_device_would_round_them(mode, stuck):
    """From 2,048 on, float16 counts in steps of two and more: 1 + 1 + … gets stuck or drifts."""
    weights = f32(np.ones((1, 96, 1, 1)))
    model = graph(
        node("Concat", ["image"] * 32, "wide", axis=1),
        node("Conv", ["wide", "w"], "mask"),
        w=weights * f32(1.001),
    )
    mask = device(model, HalfMode(mode)).run(INPUTS)["mask"]
    exact = 96 * 100 * float(np.float16(1.001))
    once = float(np.float16(exact))
    assert (float(mask[0, 0, 0, 0]) != once) is stuck
    assert abs(float(mask[0, 0, 0, 0]) - exact) < 30


def test_a_mean_overflows_where_its_sum_does():
    model = graph(
        node("Mul", ["image", "c"], "x"),
        node("AveragePool", ["x"], "mask", kernel_shape=[32, 32]),
        c=f32(1),
    )
    assert not device(model, HalfMode.RESULTS).finite
    assert device(model, HalfMode.STORAGE).finite


def test_weights_that_float16_cannot_hold_are_found():
    model = graph(node("Mul", ["image", "c"], "x"), node("Relu", ["x"], "mask"), c=f32(1e6))
    assert device(model, HalfMode.STORAGE).first_loss().endswith("overflows")


def test_a_graph_is_not_changed():
    before = OVERFLOW.SerializeToString()
    half_graph(OVERFLOW, HalfMode.FLUSHED)
    device(OVERFLOW, HalfMode.FLUSHED).first_loss()
    assert OVERFLOW.SerializeToString() == before
    onnx.checker.check_model(half_graph(OVERFLOW, HalfMode.FLUSHED)[0])


def test_a_report_says_why():
    report = HalfReport("flushed", {1: 0.99, 3: 0.5}, 0.97, finite=True)
    assert not report.passed
    assert report.reason == "mask IoU 0.500 with float32, limit 0.97"
    bad = HalfReport("flushed", {1: 1.0}, 0.97, False, "Mul 'x' overflows")
    assert not bad.passed
    assert bad.summary()["reason"] == "Mul 'x' overflows"
    assert not HalfReport("storage", {1: float("nan")}, 0.99, finite=True).passed
    assert HalfReport("storage", {1: 0.995}, 0.99, finite=True).reason == ""
