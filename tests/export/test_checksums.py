"""Artifacts carry a checksum of graph and weights: what changed after export is refused."""

import hashlib
import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from ritm_edge import open_runtime
from ritm_edge.artifacts.checksum import BLANK, require_unchanged, seal
from ritm_edge.artifacts.ncnn import NcnnFile
from ritm_edge.artifacts.openvino import OpenVinoFile
from ritm_edge.cli.main import app
from ritm_edge.errors import ArtifactError, ParityError
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.registry import find_target
from ritm_edge.io_spec import IOSpec

from ..runtimes import tiny_info, tiny_reference
from .artifacts import SPEC, TARGETS, copy_of, each_target

INPUTS = {
    "image": np.random.default_rng(0).integers(0, 256, (1, 3, *SPEC.size), dtype=np.uint8),
    "clicks": np.array([[[30, 40, 0], *[[-1, -1, -1]] * (2 * SPEC.max_clicks - 1)]], np.float32),
}


@pytest.fixture
def copy(exported, tmp_path):
    return copy_of(exported[1].path, tmp_path)


def parts(path):
    """The files that hold graph and weights."""
    if not path.is_dir():
        return [path]
    return [f for f in path.rglob("*") if f.is_file() and f.name != "Manifest.json"]


def flip(path, position, bit=0):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def contents(path):
    """Where a file holds graph, weights and description: all of it but for the frame of a zip."""
    if not zipfile.is_zipfile(path):
        return [range(path.stat().st_size)]
    with zipfile.ZipFile(path) as archive:
        starts = [(m, m.header_offset + 30 + len(m.filename)) for m in archive.infolist()]
        return [range(start, start + member.compress_size) for member, start in starts]


@each_target
@pytest.mark.usefixtures("exported")
def test_every_flipped_bit_of_graph_and_weights_is_found(copy):
    rng = np.random.default_rng(1)
    open_runtime(copy)
    for part in parts(copy):
        whole = part.read_bytes()
        for position in (int(p) for places in contents(part) for p in rng.choice(places, 20)):
            flip(part, position, int(rng.integers(8)))
            with pytest.raises(ArtifactError) as caught:
                open_runtime(copy)
            message = str(caught.value)
            assert "changed after export" in message, (part.name, position, message)
            assert str(copy) in message
            assert "\n" not in message
            part.write_bytes(whole)
    open_runtime(copy)


@each_target
@pytest.mark.usefixtures("exported")
def test_every_byte_of_the_checksum_itself_counts(copy):
    entry = b'"content_sha256": "'
    described = [part for part in parts(copy) if entry in part.read_bytes()]
    if not described:
        pytest.skip("compressed: the test above covers it")
    (part,) = described
    at = part.read_bytes().index(entry)
    for position in range(at, at + len(entry) + 64):
        for bit in (0, 5):
            flip(part, position, bit)
            with pytest.raises(ArtifactError):
                open_runtime(copy)
            flip(part, position, bit)


@each_target
def test_who_says_so_opens_what_was_saved_again(exported, copy):
    """Other weights of the same graph, with the old description: as a tool would leave it."""
    target, item = exported
    before = open_runtime(item.path).run(INPUTS)["mask"]
    change_a_weight(copy)
    with pytest.raises(ArtifactError, match=r"changed after export.*--allow-changed"):
        open_runtime(copy)
    runtime = open_runtime(copy, allow_changed=True)
    assert runtime.info.content_sha256 == open_runtime(item.path).info.content_sha256
    after = runtime.run(INPUTS)["mask"]
    assert not np.array_equal(after, before)
    assert np.isfinite(after).all()
    target.stamp(copy, runtime.info.to_json())
    np.testing.assert_array_equal(open_runtime(copy).run(INPUTS)["mask"], after)


def change_a_weight(path):
    """Turn the lowest exponent bit of some weights, which keeps the file's structure."""
    if path.suffix in (".openvino", ".ncnn"):
        kind = NcnnFile if path.suffix == ".ncnn" else OpenVinoFile
        file = kind.read(path)
        replace(file, weights=turned(file.weights, len(file.weights) // 2)).write(path)
        return
    part = next((p for p in parts(path) if p.name == "weight.bin"), path)
    data = part.read_bytes()
    part.write_bytes(turned(data, weights_in(data)))


def turned(data, middle):
    values = bytearray(data)
    middle -= middle % 4
    for offset in range(middle, middle + 400, 4):
        values[offset + 2] ^= 0x40  # of a little-endian float32: half of its fraction
    return bytes(values)


def weights_in(data):
    """Where a long run of plausible float32 weights is."""
    usable = len(data) - len(data) % 4
    numbers = np.abs(np.frombuffer(data[:usable], np.float32))
    plausible = (numbers > 1e-4) & (numbers < 10)
    runs = np.convolve(plausible, np.ones(200), mode="valid")
    return int(runs.argmax()) * 4 + 200


@each_target
def test_a_description_of_the_first_version_opens_without_a_checksum(exported, copy):
    target, item = exported
    info = open_runtime(item.path).info
    values = json.loads(info.to_json())
    del values["contract"], values["content_sha256"]
    target.stamp(copy, json.dumps({"format_version": 1, **values}))
    if target.name in ("tflite", "executorch"):
        with pytest.raises(ArtifactError, match="no checksum"):
            open_runtime(copy)
        if target.name == "executorch":  # of which there were none
            return
        data = copy.read_bytes()
        copy.write_bytes(data + b"ritm-edge-sha256" + hashlib.sha256(data).digest())
    runtime = open_runtime(copy)
    assert runtime.info == replace(info, content_sha256=None)
    np.testing.assert_array_equal(
        runtime.run(INPUTS)["mask"], open_runtime(item.path).run(INPUTS)["mask"]
    )


@pytest.mark.parametrize(
    "exported", [p for p in TARGETS if p.values[0].name == "coreml"], indirect=True
)
@pytest.mark.usefixtures("exported")
def test_files_of_the_finder_do_not_count(copy):
    for folder in (copy, copy / "Data" / "com.apple.CoreML", copy / "Data"):
        (folder / ".DS_Store").write_bytes(b"view settings")
    open_runtime(copy)
    (copy / "Data" / "com.apple.CoreML" / "weights" / "other.bin").write_bytes(b"more")
    with pytest.raises(ArtifactError, match="changed after export"):
        open_runtime(copy)


@pytest.mark.parametrize("text", ["", '{"content_sha256": "short"}', "content_sha256", "[]"])
def test_what_has_no_place_for_a_checksum_stays_as_it_is(tmp_path, text):
    assert seal(text.encode(), b"more") == text.encode()
    assert not require_unchanged(tmp_path, text.encode(), b"more")


@pytest.mark.parametrize("colon", [": ", ":", " :\n "])
def test_the_layout_of_the_description_does_not_matter(tmp_path, colon):
    text = f'before {{"content_sha256"{colon}"{BLANK}"}} behind'.encode()
    sealed = seal(text, b"one", b"two")
    assert sealed != text
    assert require_unchanged(tmp_path, sealed, b"one", b"two")
    for described, *others in (
        (sealed, b"one", b"twO"),
        (sealed, b"one"),
        (sealed + b" ", b"one", b"two"),
        (sealed.replace(b"before", b"Before"), b"one", b"two"),
    ):
        with pytest.raises(ArtifactError, match="changed after export"):
            require_unchanged(tmp_path, described, *others)


COMMANDS = {
    "predict": "predict {set}/images/a.png --click 30,40 --artifact {file} -o {out}/m.png",
    "verify": "verify {file} --checkpoint hrnet18s",
    "bench latency": "bench latency {file} --no-pytorch --runs 1 --warmup 0 --cold-starts 2",
    "bench noc": "bench noc {file} --data Folder={set} --max-clicks 2 --fresh -o {out}/noc.json",
    "bench noc --jobs": "bench noc {file} --data Folder={set} --max-clicks 2 --jobs 2",
    "bench flops": "bench flops {file} --size 64x96",
    "bench fit": "bench fit {file} --data Folder={set} --limit 1",
    "bench paper": "bench paper --model {file} --data Folder={set} --clicks 2 -o {out}/paper",
    "report": "report {out}/noc.json --model {file} --data Folder={set} -o {out}/page.html",
}


@pytest.fixture(scope="module")
def resaved(tmp_path_factory):
    """An artifact of any size that somebody saved again, beside photos and its results."""
    folder = tmp_path_factory.mktemp("commands")
    for name in ("images", "masks"):
        (folder / "set" / name).mkdir(parents=True)
    mask = np.zeros((64, 96), np.uint8)
    mask[16:48, 20:60] = 1
    for name in ("a", "b"):
        cv2.imwrite(str(folder / "set" / "images" / f"{name}.png"), np.dstack([200 * mask] * 3))
        cv2.imwrite(str(folder / "set" / "masks" / f"{name}.png"), mask)
    path = folder / "tiny.onnx"
    export_model(tiny_reference(), tiny_info(IOSpec(), "onnx"), find_target("onnx"), path)
    run("bench noc", path, folder)
    model = onnx.load(path)
    model.doc_string = "saved again on purpose"
    onnx.save(model, path)
    return path


def run(command, path, folder, *more):
    line = COMMANDS[command].format(file=path, out=folder, set=folder / "set")
    return CliRunner().invoke(app, [*line.split(), *more])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_opens_a_file_wants_to_be_told(command, resaved):
    refused = run(command, resaved, resaved.parent)
    assert isinstance(refused.exception, ArtifactError), refused.output
    assert "changed after export" in str(refused.exception)
    done = run(command, resaved, resaved.parent, "--allow-changed")
    if command == "verify":  # compares with embedded weights, of another model
        assert isinstance(done.exception, ParityError)
    else:
        assert done.exit_code == 0, done.exception or done.output
