"""What a file declares is checked when it is opened, what its engine returns at every run."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ritm_edge import open_runtime
from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY
from ritm_edge.errors import ArtifactError, CheckpointError
from ritm_edge.io_spec import IOSpec

from ..runtimes import tiny_info, tiny_reference
from .artifacts import SPEC, copy_of, each_target

SIZE = SPEC.size
SHAPE = (1, 1, *SIZE)
INPUTS = {"image": np.zeros((1, 3, *SIZE)), "clicks": -np.ones((1, 2 * SPEC.max_clicks, 3))}
FLOAT = TensorProto.FLOAT
CONTRACT = {"image": (1, 3, *SIZE), "clicks": (1, 2 * SPEC.max_clicks, 3), "prev_mask": SHAPE}


def forge(path, nodes, *, output=("mask", FLOAT, SHAPE), inputs=CONTRACT, types=None, constants=()):
    """An .onnx file with our description and checksum around a graph of somebody else."""
    types = types or {}
    graph = helper.make_graph(
        nodes,
        "forged",
        [helper.make_tensor_value_info(n, types.get(n, FLOAT), s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(*output)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, tiny_info(SPEC, "onnx").to_json()
    path.write_bytes(seal(model.SerializeToString()))
    return path


def node(kind, inputs, **attributes):
    return helper.make_node(kind, inputs.split(), ["mask"], **attributes)


DECLARED = {
    "double": ([node("Cast", "prev_mask", to=11)], ("mask", TensorProto.DOUBLE, SHAPE)),
    "half": ([node("Cast", "prev_mask", to=10)], ("mask", TensorProto.FLOAT16, SHAPE)),
    "int64": ([node("Cast", "prev_mask", to=7)], ("mask", TensorProto.INT64, SHAPE)),
    "uint8": ([node("Cast", "prev_mask", to=2)], ("mask", TensorProto.UINT8, SHAPE)),
    "bool": ([node("Cast", "prev_mask", to=9)], ("mask", TensorProto.BOOL, SHAPE)),
    "text": ([node("Cast", "prev_mask", to=8)], ("mask", TensorProto.STRING, SHAPE)),
    "three channels": ([node("Identity", "image")], ("mask", FLOAT, (1, 3, *SIZE))),
    "32x32": ([node("Slice", "prev_mask zeros small axes")], ("mask", FLOAT, (1, 1, 32, 32))),
    "rank 2": ([node("Squeeze", "prev_mask front")], ("mask", FLOAT, SIZE)),
    "rank 5": ([node("Unsqueeze", "prev_mask zero")], ("mask", FLOAT, (1, *SHAPE))),
    "scalar": ([node("ReduceMax", "prev_mask", keepdims=0)], ("mask", FLOAT, ())),
    "as many as clicked": ([node("NonZero", "prev_mask")], ("mask", TensorProto.INT64, (4, "n"))),
    "another name": (
        [helper.make_node("Identity", ["prev_mask"], ["masque"])],
        ("masque", FLOAT, SHAPE),
    ),
}
CONSTANTS = [
    ("zeros", np.int64([0, 0])),
    ("zero", np.int64([0])),
    ("small", np.int64([32, 32])),
    ("axes", np.int64([2, 3])),
    ("front", np.int64([0, 1])),
    ("last", np.int64([3])),
    ("33", np.float32([33])),
    ("one", np.int64([1])),
]


@pytest.mark.parametrize("kind", DECLARED)
def test_a_graph_that_declares_another_mask_is_refused_when_it_is_opened(kind, tmp_path):
    nodes, output = DECLARED[kind]
    path = forge(tmp_path / "m.onnx", nodes, output=output, constants=CONSTANTS)
    message = refused(path)
    assert "describes the outputs" in message
    assert "mask" in message


def refused(path):
    with pytest.raises(ArtifactError) as caught:
        open_runtime(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {**CONTRACT, "image": (1, 3, 32, 32)}},
        {"inputs": {**CONTRACT, "image": (1, 3, "h", "w")}},
        {"inputs": {**CONTRACT, "image": (3, *SIZE)}},
        {"inputs": {**CONTRACT, "clicks": (1, 2, 3)}},
        {"inputs": {"image": CONTRACT["image"], "clicks": CONTRACT["clicks"]}},
        {"inputs": {**CONTRACT, "more": (1,)}},
        {"types": {"image": TensorProto.UINT8}},
        {"types": {"clicks": TensorProto.DOUBLE}},
    ],
    ids=lambda changes: str(next(iter(changes.values())))[:60],
)
def test_a_graph_that_declares_other_inputs_is_refused(changes, tmp_path):
    constants = [("half", np.full(SHAPE, 0.5, np.float32))]
    path = forge(tmp_path / "m.onnx", [node("Identity", "half")], constants=constants, **changes)
    assert "describes the inputs" in refused(path)


# Graphs that declare the mask of the contract and return another.
RETURNED = {
    "NaN": [node("Log", "minus")],
    "infinite": [node("Log", "prev_mask")],
    "1e30": [node("Add", "prev_mask large")],
    "negative": [node("Add", "prev_mask minus")],
    "percent": [node("Add", "prev_mask percent")],
    "another width": [  # as many columns as the largest coordinate of a click and 33 more
        helper.make_node("ReduceMax", ["clicks"], ["largest"], keepdims=0),
        helper.make_node("Add", ["largest", "33"], ["wanted"]),
        helper.make_node("Cast", ["wanted"], ["columns"], to=7),
        node("Slice", "prev_mask zero columns last"),
    ],
}


@pytest.mark.parametrize("kind", RETURNED)
def test_a_graph_that_returns_no_probabilities_is_refused_when_it_runs(kind, tmp_path):
    values = {"minus": -0.01, "large": 1e30, "percent": 1.2}
    constants = [*CONSTANTS, *((n, np.full(SHAPE, v, np.float32)) for n, v in values.items())]
    path = forge(tmp_path / "m.onnx", RETURNED[kind], constants=constants)
    runtime = open_runtime(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ArtifactError, match=r"m\.onnx returns a mask of") as caught:
            runtime.run(INPUTS)
    assert "\n" not in str(caught.value)


def test_rounding_beyond_the_ends_of_the_range_is_none_of_these(tmp_path):
    for number in (1 + 1e-6, -1e-6, 0.0, 1.0):
        constants = [("number", np.full(SHAPE, number, np.float32))]
        path = forge(tmp_path / "m.onnx", [node("Identity", "number")], constants=constants)
        assert open_runtime(path).run(INPUTS)["mask"].max() == np.float32(number)


FAKES = {
    "onnx": lambda r, mask: setattr(r, "_session", SimpleNamespace(run=lambda *_: [mask])),
    "tflite": lambda r, mask: setattr(r, "_graph", SimpleNamespace(run=lambda _: {"mask": mask})),
    "openvino": lambda r, mask: setattr(r, "_graph", SimpleNamespace(run=lambda _: {"mask": mask})),
    "executorch": lambda r, mask: setattr(r, "_graph", SimpleNamespace(run=lambda _: [mask])),
    "coreml": lambda r, mask: setattr(r, "_predict", lambda _: {"mask": mask}),
    "ncnn": lambda r, mask: setattr(
        r, "_graph", SimpleNamespace(run=lambda *_: [("mask", np.asarray(mask)[0])])
    ),
}
HALF = np.full(SHAPE, 0.5, np.float32)
BAD = {
    "NaN": HALF * np.nan,
    "one NaN": np.where(np.arange(HALF.size).reshape(SHAPE) == 7, np.float32(np.nan), HALF),
    "infinite": HALF * np.inf,
    "1e30": HALF * 1e30,
    "logits": HALF * -8,
    "32x32": HALF[..., :32, :32],
    "NHWC": HALF.transpose(0, 2, 3, 1),
    "rank 3": HALF[0],
    "integer": np.ones(SHAPE, np.int32),
    "double": HALF.astype(np.float64),
    "half": HALF.astype(np.float16),
    "text": HALF.astype(str),
    "objects": HALF.astype(object),
    "two": np.concatenate([HALF, HALF]),
}


@each_target
@pytest.mark.parametrize("kind", BAD)
def test_no_runtime_passes_on_what_is_no_mask(exported, kind):
    target, item = exported
    if (target.name, kind) == ("ncnn", "two"):
        pytest.skip("its arrays have no batch")
    runtime = open_runtime(item.path)
    FAKES[target.name](runtime, BAD[kind])
    with pytest.raises(ArtifactError, match="returns a mask of"):
        runtime.run(INPUTS)
    FAKES[target.name](runtime, HALF)
    assert runtime.run(INPUTS)["mask"].tobytes() == HALF.tobytes()


@pytest.mark.parametrize("kind", ["NaN", "32x32", "double", "two"])
def test_nor_does_pytorch(kind):
    runtime = tiny_reference()
    assert runtime.run(INPUTS)["mask"].shape == SHAPE
    config = runtime.model.config

    class Fake:
        def __call__(self, *_):
            return SimpleNamespace(mask_logits=torch.from_numpy(BAD[kind].copy()))

        def parameters(self):
            return iter([torch.zeros(1)])

    runtime.model = Fake()
    runtime.model.config = config
    with pytest.raises(CheckpointError, match=r"tiny\.pth returns a mask of"):
        runtime.run(INPUTS)


def test_weights_that_are_no_numbers_end_in_an_error(tmp_path):
    runtime = tiny_reference()
    runtime.model.feature_extractor.cls_head.bias.data.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="nan"):
        runtime.run(INPUTS)
    large = np.full(SHAPE, np.nan, np.float32)
    path = forge(tmp_path / "m.onnx", [node("Add", "prev_mask bias")], constants=[("bias", large)])
    model = onnx.load(path)
    model.doc_string = "saved again"
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match="nan"):
        open_runtime(path, allow_changed=True).run(INPUTS)


@each_target
@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, height=128),
        replace(SPEC, height=SPEC.width, width=SPEC.height),
        replace(SPEC, max_clicks=1),
        replace(SPEC, prev_mask=False),
        IOSpec(max_clicks=SPEC.max_clicks),
        replace(SPEC, max_clicks=None),
    ],
    ids=["height", "sides swapped", "clicks", "previous mask", "any size", "any clicks"],
)
def test_a_description_that_does_not_fit_the_graph_is_refused_when_it_is_opened(
    exported, spec, tmp_path
):
    target, item = exported
    copy = copy_of(item.path, tmp_path)
    target.stamp(copy, replace(open_runtime(copy).info, io=spec).to_json())
    assert "describes the " in refused(copy)
