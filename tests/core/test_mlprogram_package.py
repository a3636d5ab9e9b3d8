"""Damaged, foreign and hostile .mlpackage folders: one sentence each, and nothing outside read."""

import contextlib
import json
import shutil
import struct

import numpy as np
import pytest

from ritm_edge.artifacts.mlprogram.package import open_package
from ritm_edge.errors import ArtifactError, UnsupportedOperationError

from ..graphs import open_program
from .mlprogram_build import edit_model, main_block, mb, sample, write_program

WEIGHT = sample((4, 4, 3, 3))
SENTINEL = struct.pack("<I", 0xDEADBEEF)


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "p.mlpackage"
    return write_program(
        path, lambda a: mb.conv(x=a, weight=WEIGHT, pad_type="valid"), (1, 4, 6, 6)
    )


@pytest.fixture
def package(intact, tmp_path):
    """A copy to damage."""
    return shutil.copytree(intact, tmp_path / "copy.mlpackage")


def spec_of(path):
    return path / "Data" / "com.apple.CoreML" / "model.mlmodel"


def weights_of(path):
    return path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"


def stored(model):
    """The constants whose values are in the weight file."""
    constants = [o for o in main_block(model).operations if o.type == "const"]
    return [o for o in constants if o.attributes["val"].HasField("blobFileValue")]


def refused(path, reason):
    """The message, after checking that it is one sentence that names the file."""
    with pytest.raises(ArtifactError, match=reason) as caught:
        open_program(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_an_intact_package_runs(package):
    program = open_program(package)
    (result,) = program.run({"a": sample((1, 4, 6, 6))}).values()
    assert result.shape == (1, 4, 4, 4)
    assert result.std() > 0.1


def test_a_file_is_no_package(tmp_path):
    path = tmp_path / "p.mlpackage"
    path.write_bytes(b"not a folder")
    refused(path, "is a folder, and this is a file")


def test_an_empty_folder_is_no_package(tmp_path):
    path = tmp_path / "p.mlpackage"
    path.mkdir()
    refused(path, r"no Manifest\.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"itemInfoEntries": {}, "rootModelIdentifier": "x"}', "[" * 100_000,
     '{"itemInfoEntries": {"x": {"path": 3}}, "rootModelIdentifier": "x"}', "\xff"],
    ids=range(8),
)  # fmt: skip
def test_a_manifest_that_names_no_model(package, text):
    (package / "Manifest.json").write_bytes(text.encode("latin-1"))
    refused(package, "does not name a model")


def redirect(package, target):
    file = package / "Manifest.json"
    manifest = json.loads(file.read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = target
    file.write_text(json.dumps(manifest))


@pytest.mark.parametrize("how", ["relative", "absolute"])
def test_a_manifest_that_points_outside_the_folder(package, intact, how):
    outside = spec_of(intact)
    target = "../../outside.mlmodel" if how == "relative" else str(outside)
    shutil.copy(outside, package.parent / "outside.mlmodel")
    redirect(package, target)
    refused(package, "outside the package")


def test_a_link_out_of_the_folder_is_not_followed(package, intact):
    spec_of(package).unlink()
    spec_of(package).symlink_to(spec_of(intact))
    refused(package, "outside the package")


def test_a_manifest_that_points_to_nothing(package):
    redirect(package, "com.apple.CoreML/other.mlmodel")
    refused(package, r"other\.mlmodel is missing")
    redirect(package, "com.apple.CoreML")
    refused(package, "is missing")
    redirect(package, "a\0b")
    refused(package, "cannot exist")


def test_a_specification_cut_anywhere_is_refused(package):
    data = spec_of(package).read_bytes()
    for length in [0, 1, 2, *range(3, len(data), 97), len(data) - 1]:
        spec_of(package).write_bytes(data[:length])
        refused(package, "cannot be used")


def test_noise_for_a_specification_is_refused(package):
    rng = np.random.default_rng(0)
    data = spec_of(package).read_bytes()
    for _ in range(200):
        spec_of(package).write_bytes(rng.bytes(int(rng.integers(1, 400))))
        refused(package, "cannot be used")
    # Flipped bytes may also leave a valid program: no other kind of error may come out.
    for position in rng.integers(0, len(data), 200):
        flipped = bytearray(data)
        flipped[position] ^= int(rng.integers(1, 256))
        spec_of(package).write_bytes(flipped)
        with contextlib.suppress(ArtifactError, UnsupportedOperationError):
            open_program(package)


def test_a_huge_specification_is_not_read(package):
    with spec_of(package).open("wb") as file:
        file.truncate(1 << 33)
    refused(package, "more than 16 MiB")


def test_another_kind_of_core_ml_model(package):
    edit_model(package, lambda model: model.neuralNetwork.SetInParent())
    refused(package, "no ML Program")


def test_flexible_and_foreign_tensors_are_refused(package):
    def flexible(model):
        array = model.description.input[0].type.multiArrayType
        array.shapeRange.sizeRanges.add().lowerBound = 1

    edit_model(package, flexible)
    refused(package, "'a' is not a float32 array of fixed shape")


def test_missing_weights(package):
    weights_of(package).unlink()
    refused(package, r"weight\.bin is missing")


def test_weights_cut_anywhere_are_refused(package):
    data = weights_of(package).read_bytes()
    for length in range(0, len(data), 61):
        weights_of(package).write_bytes(data[:length])
        refused(package, r"weight\.bin")


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (4, struct.pack("<I", 3), "expects file format version 2"),
        (64, struct.pack("<I", 0xDEADBEEE), "at byte 64 .*sentinel"),
        (68, struct.pack("<I", 1), "no float32 weights at byte 64"),
        (68, struct.pack("<I", 99), "no float32 weights at byte 64"),
        (72, struct.pack("<Q", 2**63), "no float32 weights at byte 64"),
        (72, struct.pack("<Q", 2**64 - 64), "no float32 weights at byte 64"),
        (72, struct.pack("<Q", 572), "are 143 values, not the 144"),
        (72, struct.pack("<Q", 0), "no float32 weights at byte 64"),
        (80, struct.pack("<Q", 2**64 - 64), "no float32 weights at byte 64"),
    ],
)
def test_a_weight_record_that_lies(package, position, value, reason):
    data = bytearray(weights_of(package).read_bytes())
    data[position : position + len(value)] = value
    weights_of(package).write_bytes(data + bytes(64))
    refused(package, reason)


@pytest.mark.parametrize(
    ("name", "offset", "reason"),
    [
        ("@model_path/weights/weight.bin", 2**63, "no float32 weights at byte 9223372036854775808"),
        ("@model_path/weights/weight.bin", 0, "no float32 weights at byte 0"),
        ("@model_path/../../../outside.bin", 64, "outside the package"),
        ("/etc/passwd", 64, "outside the package"),
        ("@model_path//etc/passwd", 64, "outside the package"),
        ("@model_path/weights/other.bin", 64, r"other\.bin is missing"),
    ],
)
def test_a_program_that_refers_to_other_weights(package, name, offset, reason):
    def edit(model):
        for operation in stored(model):
            value = operation.attributes["val"]
            value.blobFileValue.fileName = name
            value.blobFileValue.offset = offset

    shutil.copy(weights_of(package), package.parent / "outside.bin")
    edit_model(package, edit)
    refused(package, reason)


def test_blobs_that_claim_the_same_bytes_again_and_again(tmp_path):
    """Each is a copy in memory: a small file could ask for any amount of it."""

    def build(a):
        for number in range(8):
            a = mb.add(x=a, y=sample((1, 4, 6, 6), number))
        return a

    path = write_program(tmp_path / "p.mlpackage", build, (1, 4, 6, 6))
    data = bytearray(weights_of(path).read_bytes())
    offsets = [place for place in range(64, len(data), 64) if data[place : place + 4] == SENTINEL]
    assert len(offsets) == 8
    expected = open_program(path).run({"a": sample((1, 4, 6, 6))})
    assert len(expected) == 1
    for offset in offsets:  # every blob is the last one, and reaches beyond its record
        data[offset + 8 : offset + 24] = struct.pack("<QQ", len(data) - 128, 128)
    weights_of(path).write_bytes(data)

    def edit(model):
        for operation in stored(model):
            for each in (operation.attributes["val"].type, operation.outputs[0].type):
                each.tensorType.rank = 1
                del each.tensorType.dimensions[:]
                each.tensorType.dimensions.add().constant.size = (len(data) - 128) // 4

    edit_model(path, edit)
    refused(path, r"the weights in weight\.bin overlap")


def test_a_weight_that_is_used_twice_is_read_once(package):
    def edit(model):
        block = main_block(model)
        (weight,) = stored(model)
        for number in range(100):
            again = block.operations.add()
            again.CopyFrom(weight)
            again.outputs[0].name = f"again_{number}"
        kept = [type(weight).FromString(o.SerializeToString()) for o in block.operations]
        del block.operations[:]
        block.operations.extend(kept[-100:] + kept[:-100])

    edit_model(package, edit)
    assert open_program(package)


def test_opening_needs_no_weights_for_the_metadata(package):
    weights_of(package).unlink()
    assert open_package(package).metadata["com.github.apple.coremltools.version"]
