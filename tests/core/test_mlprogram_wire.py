"""The protobuf reader against coremltools' generated classes, and against damaged bytes."""

import struct

import numpy as np
import pytest

from ritm_edge.artifacts.mlprogram import schema
from ritm_edge.artifacts.mlprogram.problems import FormatError
from ritm_edge.artifacts.mlprogram.wire import MAX_DEPTH, Field, Message, decode

from .mlprogram_build import Model_pb2, mb, sample, write_program

VARINTS = {3: "int64", 4: "uint64", 5: "int32", 8: "bool", 14: "int32"}
KINDS = {1: "double", 2: "float", 9: "string", 12: "bytes", **VARINTS}
MESSAGE = 11
# Declared as bytes: only their presence matters, and they are refused.
OPAQUE = {"listType", "tupleType", "dictionaryType", "stateType", "blocks", "enumeratedShapes"}
OPAQUE |= {"shapeRange"}


def assert_matches(ours: Message, theirs, seen: set[str]) -> None:
    if ours.name in seen:
        return
    seen.add(ours.name)
    for number, field in ours.fields.items():
        other = theirs.fields_by_number[number]
        assert other.name == field.name, (ours.name, number)
        keyed = other.message_type is not None and other.message_type.GetOptions().map_entry
        assert keyed == field.keyed
        repeated = other.label == other.LABEL_REPEATED and not keyed
        assert repeated == field.repeated, (ours.name, field.name)
        if field.name in OPAQUE:
            assert other.type == MESSAGE
            continue
        value = other.message_type.fields_by_name["value"] if keyed else other
        if isinstance(field.kind, Message):
            assert value.message_type.name == field.kind.name
            assert_matches(field.kind, value.message_type, seen)
        else:
            assert KINDS[value.type] == field.kind, (ours.name, field.name)


def test_the_schema_has_the_field_numbers_and_types_of_core_ml():
    seen: set[str] = set()
    assert_matches(schema.MODEL, Model_pb2.Model.DESCRIPTOR, seen)
    assert {"Program", "Operation", "Value", "TensorType", "Metadata"} <= seen


def test_a_model_decodes_to_what_coremltools_reads(tmp_path):
    weight = sample((2, 4, 3, 3))
    path = write_program(
        tmp_path / "p.mlpackage",
        lambda a: mb.relu(x=mb.conv(x=a, weight=weight, pad=[1, 0, 2, 1], pad_type="custom")),
        (1, 4, 6, 6),
    )
    data = (path / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes()
    ours, theirs = decode(data, schema.MODEL), Model_pb2.Model.FromString(data)

    block = theirs.mlProgram.functions["main"].block_specializations["CoreML6"]
    decoded = ours["mlProgram"]["functions"]["main"]["block_specializations"]["CoreML6"]
    assert [o["type"] for o in decoded["operations"]] == [o.type for o in block.operations]
    for mine, other in zip(decoded["operations"], block.operations, strict=True):
        assert mine["inputs"].keys() == set(other.inputs)
        assert mine["attributes"].keys() == set(other.attributes)
        for key, argument in mine["inputs"].items():
            names = [binding["name"] for binding in argument["arguments"]]
            assert names == [binding.name for binding in other.inputs[key].arguments]
        if "val" in mine["attributes"]:
            value, expected = mine["attributes"]["val"], other.attributes["val"]
            if "blobFileValue" in value:
                assert value["blobFileValue"]["offset"] == expected.blobFileValue.offset
                continue
            tensor = value["immediateValue"]["tensor"]
            kind = expected.immediateValue.tensor.WhichOneof("value")
            got = tensor[kind]["values"]
            assert list(got) == list(getattr(expected.immediateValue.tensor, kind).values)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("int32", b"\x08\x96\x01", 150),
        ("int32", b"\x08" + b"\xff" * 9 + b"\x01", -1),
        ("int64", b"\x08" + b"\xff" * 9 + b"\x01", -1),
        ("uint64", b"\x08" + b"\xff" * 9 + b"\x01", 2**64 - 1),
        ("bool", b"\x08\x01", True),
        ("string", b"\x0a\x03\xe2\x89\xa4", "≤"),
        ("bytes", b"\x0a\x02\x00\xff", b"\x00\xff"),
        ("float", b"\x0d" + struct.pack("<f", 1.5), 1.5),
        ("double", b"\x09" + struct.pack("<d", -2.25), -2.25),
    ],
)
def test_scalars(kind, data, expected):
    message = Message("M", {1: Field("x", kind)})
    assert decode(data, message) == {"x": expected}
    # An unknown field before it, of every wire type, is skipped.
    unknown = b"\x10\x05" + b"\x1a\x02ab" + b"\x25abcd" + b"\x29abcdefgh"
    assert decode(unknown + data, message) == {"x": expected}


def test_repeated_numbers_may_be_packed_or_not():
    floats = Message("M", {1: Field("x", "float", repeated=True)})
    packed = b"\x0a\x08" + struct.pack("<2f", 1, 2)
    np.testing.assert_array_equal(decode(packed, floats)["x"], [1, 2])
    separate = b"\x0d" + struct.pack("<f", 1) + b"\x0d" + struct.pack("<f", 2)
    np.testing.assert_array_equal(decode(separate, floats)["x"], [1, 2])
    integers = Message("M", {1: Field("x", "int32", repeated=True)})
    assert decode(b"\x0a\x03\x01\x96\x01", integers)["x"] == [1, 150]


def test_occurrences_of_an_embedded_message_are_merged_and_map_keys_replaced():
    inner = Message("I", {1: Field("a", "int32"), 2: Field("b", "int32")})
    outer = Message("O", {1: Field("i", inner), 2: Field("m", "string", keyed=True)})
    data = b"\x0a\x02\x08\x01" + b"\x0a\x02\x10\x02"
    assert decode(data, outer) == {"i": {"a": 1, "b": 2}, "m": {}}
    entries = b"\x12\x06\x0a\x01k\x12\x01v" + b"\x12\x06\x0a\x01k\x12\x01w"
    assert decode(entries, outer)["m"] == {"k": "w"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x08", "middle of a number"),
        (b"\x08" + b"\xff" * 11, "more than 64 bits"),
        (b"\x0a\x05ab", "middle of a field"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "middle of a field"),
        (b"\x0d\x00\x00", "middle of a field"),
        (b"\x0b", "wire type 3"),
        (b"\x0a\x01\xff", "UTF-8"),
        (b"\x08\x01", "another type"),
    ],
)
def test_damaged_bytes_are_refused(data, reason):
    with pytest.raises(FormatError, match=reason):
        decode(data, Message("M", {1: Field("x", "string")}))


def test_endless_nesting_is_refused():
    nested = Message("N")
    nested.fields[1] = Field("n", nested)

    def data(depth):
        encoded = b""
        for _ in range(depth):
            length = len(encoded)
            assert length < 2**14
            encoded = b"\x0a" + bytes([length & 0x7F | 0x80, length >> 7]) + encoded
        return encoded

    decode(data(MAX_DEPTH), nested)
    with pytest.raises(FormatError, match="nested too deeply"):
        decode(data(MAX_DEPTH + 1), nested)
    with pytest.raises(FormatError, match="nested too deeply"):
        decode(data(4000), nested)
