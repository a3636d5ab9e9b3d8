"""A file whose session graphs are not those of the contract is refused in one sentence."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY
from ritm_edge.artifacts.tflite import read_flatbuffer
from ritm_edge.errors import ArtifactError, InputFileError, RitmEdgeError, UsageError
from ritm_edge.export.registry import find_target
from ritm_edge.export.tflite.flatbuffer import pack, set_metadata, unpack
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.runtimes.onnx import SESSION_SUFFIX
from ritm_edge.runtimes.step_contract import step_contract
from ritm_edge.session.interactive import InteractiveSession

from .made_network import SPEC

GRAPHS = sorted(step_contract(SPEC))
KINDS = ["input missing", "input renamed", "input of another type", "input of another shape",
         "output missing", "output renamed", "output of another type", "outputs exchanged",
         "graph missing", "graph of another"]  # fmt: skip

# Whatever type their last tensors declare, the kernels set it.
SET_BY_KERNEL = ("finish", "average")


def use(path: Path) -> np.ndarray:
    """Every graph once, with a photo larger than the network's input."""
    photo = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    session = InteractiveSession(open_runtime(path), protocol="graphs", flip=True)
    session.set_image(photo)
    session.set_mask(photo[..., 0] > 200)
    session.advance(30, 40)
    session.advance(20, 10, positive=False)
    return session.mask_at(np.arange(60), np.arange(90))


def copied(with_session: tuple[Path, Path], folder: Path) -> Path:
    return Path(shutil.copytree(with_session[0].parent, folder / "copy")) / with_session[0].name


def restamped(path: Path, **entries: Any) -> None:
    """Give the file a description with other entries of `session`, and the right checksum."""
    info = open_runtime(path, allow_changed=True).info
    assert info is not None
    session = {k: v for k, v in {**(info.session or {}), **entries}.items() if v is not None}
    find_target(info.target).stamp(path, replace(info, session=session).to_json())


def damage_onnx(path: Path, graph: str, kind: str) -> None:
    import onnx

    folder = path.with_suffix(SESSION_SUFFIX)
    file = folder / f"{graph}.onnx"
    model = onnx.load(file)
    inputs, outputs = model.graph.input, model.graph.output
    if kind == "input missing":
        value = onnx.numpy_helper.from_array(
            np.zeros([d.dim_value or 1 for d in inputs[-1].type.tensor_type.shape.dim], np.float32),
            inputs[-1].name,
        )
        model.graph.initializer.append(value)
        del inputs[-1]
    elif kind == "input renamed":
        old, inputs[-1].name = inputs[-1].name, "another"
        for node in model.graph.node:
            node.input[:] = ["another" if name == old else name for name in node.input]
    elif kind == "input of another type":
        _set_onnx_type(inputs[0], onnx.TensorProto.DOUBLE)
    elif kind == "input of another shape":
        inputs[0].type.tensor_type.shape.dim[0].dim_value = 7
    elif kind == "output missing":
        del outputs[0]
    elif kind == "graph missing":
        file.unlink()
        return
    elif kind == "graph of another":
        model = onnx.load(folder / f"{'average' if graph == 'mirror' else 'mirror'}.onnx")
    else:
        renamed = {outputs[0].name: "another"}
        if kind == "outputs exchanged" and len(outputs) > 1:
            renamed = {outputs[0].name: outputs[-1].name, outputs[-1].name: outputs[0].name}
        elif kind == "output of another type":
            renamed = {outputs[0].name: "inner"}
        for node in model.graph.node:
            node.output[:] = [renamed.get(name, name) for name in node.output]
        if kind == "output of another type":
            cast = onnx.helper.make_node("Cast", ["inner"], [outputs[0].name], to=6)
            model.graph.node.append(cast)
            _set_onnx_type(outputs[0], onnx.TensorProto.INT32)
        else:
            values = {renamed.get(each.name, each.name): each for each in outputs}
            for name, each in values.items():
                each.name = name
    file.write_bytes(model.SerializeToString())
    files = {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    restamped(path, files=files)


def _set_onnx_type(value: Any, kind: int) -> None:
    value.type.tensor_type.elem_type = kind


def damage_tflite(path: Path, graph: str, kind: str) -> None:
    model = unpack(read_flatbuffer(path, allow_changed=True))
    names = [each.signatureKey.decode() for each in model.signatureDefs]
    signature = model.signatureDefs[names.index(graph)]
    tensors = model.subgraphs[signature.subgraphIndex].tensors
    inputs, outputs = signature.inputs, signature.outputs
    if kind.endswith("missing"):
        {"input": inputs, "output": outputs, "graph": model.signatureDefs}[kind.split()[0]].pop(
            names.index(graph) if kind == "graph missing" else 0
        )
    elif kind.endswith("renamed"):
        (inputs if kind.startswith("input") else outputs)[0].name = b"another"
    elif kind.endswith("another type"):
        entry = (inputs if kind.startswith("input") else outputs)[0]
        tensors[entry.tensorIndex].type = 2  # INT32
    elif kind == "input of another shape":
        shape = tensors[inputs[0].tensorIndex].shape
        tensors[inputs[0].tensorIndex].shape = [7, *shape[1:]]
    elif kind == "outputs exchanged" and len(outputs) > 1:
        outputs[0].name, outputs[-1].name = outputs[-1].name, outputs[0].name
    elif kind == "graph of another":
        other = "average" if graph == "mirror" else "mirror"
        signature.signatureKey = b"old"
        model.signatureDefs[names.index(other)].signatureKey = graph.encode()
    else:
        outputs[0].name = b"another"
    info = open_runtime(path).info
    assert info is not None
    set_metadata(model, METADATA_KEY, info.to_json())
    path.write_bytes(seal(pack(model)))


DAMAGE: dict[str, Callable[[Path, str, str], None]] = {
    ".onnx": damage_onnx,
    ".tflite": damage_tflite,
}


def refusal(path: Path, kind: type[RitmEdgeError] = ArtifactError) -> str:
    with pytest.raises(kind) as caught:
        use(path)
    message = str(caught.value)
    assert str(path.with_suffix("")) in message
    assert len(message.splitlines()) == 1
    assert message.endswith(".")
    return message


def test_an_undamaged_copy_is_used(with_session: tuple[Path, Path], tmp_path: Path) -> None:
    path = copied(with_session, tmp_path)
    restamped(path)
    assert use(path).shape == (60, 90)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_another_graph_than_the_contracts_is_refused(
    graph: str, kind: str, with_session: tuple[Path, Path], tmp_path: Path
) -> None:
    path = copied(with_session, tmp_path)
    DAMAGE[path.suffix](path, graph, kind)
    if path.suffix == ".tflite" and kind == "output of another type" and graph in SET_BY_KERNEL:
        assert np.array_equal(use(path), use(with_session[0]))
        return
    message = refusal(path, InputFileError if kind == "graph missing" else ArtifactError)
    assert graph in message or kind == "graph of another"  # the other one is missing, too


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_changed_file_beside_the_network_is_refused(
    graph: str, with_session: tuple[Path, Path], tmp_path: Path
) -> None:
    path = copied(with_session, tmp_path)
    if path.suffix != ".onnx":
        pytest.skip("one file")
    file = path.with_suffix(SESSION_SUFFIX) / f"{graph}.onnx"
    file.write_bytes(file.read_bytes() + b"\0")
    assert "is not the session graph that" in refusal(path)
    # Made to measure: neither is it a graph, nor does anything say so but the graph.
    file.write_bytes(b"another")
    folder = file.parent
    files = {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    restamped(path, files=files)
    assert f"the session graph {graph} fails" in refusal(path)


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        ({"files": None, "largest_photo": None}, ArtifactError),
        ({"files": {}, "screen_rows": None}, ArtifactError),
        ({"files": {"prepare": "x"}, "screen_columns": 1 << 50}, ArtifactError),
        ({"fit": "another"}, UsageError),
        ({"threshold": 7}, UsageError),
        ({"expansion": 3}, UsageError),
        ({"threshold": None}, ArtifactError),
        ({"fit": None}, ArtifactError),
        ({"screen_rows": 0}, ArtifactError),
    ],
)
def test_a_description_without_what_the_graphs_need_is_refused(
    entries: dict[str, Any],
    kind: type[RitmEdgeError],
    with_session: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    path = copied(with_session, tmp_path)
    restamped(path, **entries)
    with pytest.raises(kind) as caught:
        use(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["new_placed", "new_roi", "output"])
@pytest.mark.parametrize("value", [np.nan, 1e6, -7, 0.5, np.inf])
def test_values_that_no_graph_of_ours_gives_are_refused(
    name: str, value: float, with_session: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if (name, value) == ("output", 0.5):
        pytest.skip("a probability")
    runtime: Any = open_runtime(with_session[0])
    real = runtime._step

    def forged(graph: str, arrays: Any) -> Any:
        found = real(graph, arrays)
        if name in found:
            found[name] = np.full_like(found[name], value)
        return found

    monkeypatch.setattr(runtime, "_step", forged)
    session = InteractiveSession(runtime, protocol="graphs")
    session.set_image(np.zeros((60, 90, 3), np.uint8))

    def clicked() -> None:
        for column in (10, 40, 70):
            session.advance(30, column)

    with pytest.raises(ArtifactError, match=r"^[^\n]*export[^\n]*again\.$"):
        clicked()
    assert len(session.clicks) < 3
