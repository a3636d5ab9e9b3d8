"""The self-description: what a reader takes and refuses, and that its JSON Schema says the same."""

import copy
import json
import math
from dataclasses import fields
from pathlib import Path

import pytest

from ritm_edge.artifacts.info import CONTRACT, ArtifactInfo
from ritm_edge.errors import ArtifactError
from ritm_edge.io_spec import MAX_CLICKS_LIMIT, MAX_SIDE, IOSpec

from ..metadata_schema import SCHEMA, fits

PATH = Path("some.onnx")
INFO = ArtifactInfo(
    model={"name": "hrnet18s", "radius": 5},
    io=IOSpec(64, 96, 3),
    target="onnx",
    precision="int8",
    checkpoint_sha256="0123456789abcdef" * 4,
    tool_versions={"torch": "2.8"},
    rewrites=("fold_scales",),
    parity={
        "passed": True,
        "cases": 9,
        "max_abs": 1e-6,
        "mean_abs": 0,
        "min_mask_iou": 1.0,
        "atol": 1e-4,
        "noc": None,
    },
    half_precision={"safe": True, "mode": "flushed", "reason": ""},
    reduction={"calibration": "sample photo", "calibration_inputs": 60, "kept_float": ["a"]},
    session={
        "fit": "context",
        "threshold": 0.49,
        "expansion": 1.4,
        "min_crop": 200,
        "recompute_iou": 0.5,
        "largest_photo": 9,
        "screen_rows": 3,
        "screen_columns": 4,
        "files": {"prepare": "0" * 64},
        "verified": dict.fromkeys(("seed", "clicks", "differing", "pixels", "differing_pixels"), 7),
    },
)
VALUES = json.loads(INFO.to_json())


def read(values):
    return ArtifactInfo.from_json(json.dumps(values), PATH)


def refused(values):
    text = values if isinstance(values, str) else json.dumps(values)
    with pytest.raises(ArtifactError) as caught:
        ArtifactInfo.from_json(text, PATH)
    message = str(caught.value)
    assert message.startswith("some.onnx ")
    assert message.isprintable()
    return message


def places(schema, place=()):
    """The path of every entry that the schema knows, with its part of the schema."""
    for key, part in schema.get("properties", {}).items():
        yield (*place, key), part
        yield from places(part, (*place, key))


PLACES = dict(places(SCHEMA))


def changed(place, *value):
    """The description with another value at a place, or without that entry."""
    values = copy.deepcopy(VALUES)
    inside = values
    for key in place[:-1]:
        inside = inside[key]
    del inside[place[-1]]
    if value:
        inside[place[-1]] = value[0]
    return values


def test_what_is_written_is_read_and_fits_the_schema():
    assert read(VALUES) == INFO
    assert fits(VALUES, SCHEMA)


def test_the_schema_knows_exactly_what_is_written():
    assert set(SCHEMA["properties"]) == set(VALUES) == {each.name for each in fields(ArtifactInfo)}
    assert set(SCHEMA["properties"]["io"]["properties"]) == {each.name for each in fields(IOSpec)}
    for key, limit in (("height", MAX_SIDE), ("width", MAX_SIDE), ("max_clicks", MAX_CLICKS_LIMIT)):
        assert PLACES["io", key]["maximum"] == limit
    assert PLACES["contract",]["maximum"] == CONTRACT
    assert all("description" in part for place, part in PLACES.items() if len(place) == 1)


WRONG = [
    None, True, False, 0, 1, -1, 31, 33.5, 64.0, 4097, 10**6, 2**53, 2**64, 10**400, -0.5, 1e300,
    "", "64", "true", "a\nb", "\ud800", "0" * 63, "0" * 64, "G" * 64, "x" * 10**5,
    [], [1], ["a"], ["a", None], {}, {"name": 1}, {"name": "x"}, {"a": "b"}, {"a": 1},
    [[[[]]]], {"prev_mask": 1}, {"prev_mask": True, "height": "64", "width": "64"},
]  # fmt: skip
# Where the reader is stricter than a schema can say, or as strict in other words.
PAIRS = {("io", "height"), ("io", "width"), ("io",)}


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_reader_and_schema_agree_on_every_entry(place):
    outcomes = set()
    for value in [*WRONG, ...]:
        values = changed(place) if value is ... else changed(place, value)
        wanted = fits(values, SCHEMA)
        outcomes.add(wanted)
        if not wanted:
            refused(values)
        elif place not in PAIRS and not (isinstance(value, str) and not value.isprintable()):
            read(values)
    assert False in outcomes


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [("parity", "max_abs"), ("io", "height"), ("contract",)])
def test_numbers_that_are_none(place, value):
    refused(changed(place, value))


def test_height_and_width_are_open_together_or_not_at_all():
    assert read(changed(("io",), {**VALUES["io"], "height": None, "width": None})).io.size is None
    for key in ("height", "width"):
        assert "both height and width" in refused(changed(("io", key), None))


@pytest.mark.parametrize("entry", [1, None, [], {"deep": [1, {"er": None}]}, "text"])
def test_entries_that_nobody_knows_yet_are_ignored(entry):
    values = json.loads(json.dumps(VALUES))
    for inside in (values, values["io"], values["parity"], values["model"], values["reduction"]):
        inside["of_a_later_version"] = entry
    info = read(values)
    assert info.io == INFO.io
    assert info.checkpoint_sha256 == INFO.checkpoint_sha256
    assert read({**VALUES, "format_version": entry}) == INFO


def test_a_contract_that_is_not_known_is_refused_before_anything_else():
    for contract in (CONTRACT + 1, 99):
        message = refused({"contract": contract, "content_sha256": "0" * 64, "io": "other"})
        assert f"version {contract} of the graph's contract" in message
        assert "install" in message
    refused({**VALUES, "contract": 0})


def first_version(**changes):
    values = {key: VALUES[key] for key in VALUES if key not in ("contract", "content_sha256")}
    return {"format_version": 1, **values, **changes}


def test_descriptions_of_the_first_version():
    info = read(first_version())
    assert info.content_sha256 is None
    assert info.contract == 1
    assert (info.io, info.parity, info.rewrites) == (INFO.io, INFO.parity, INFO.rewrites)
    early = first_version()
    for key in ("rewrites", "reduction", "parity", "tool_versions"):
        del early[key]
    assert read(early).rewrites == ()
    for version in (0, 2, 99, "1", True, 1.0, None):
        refused(first_version(format_version=version))
    assert "prev_mask" in refused(first_version(io={"height": 64, "width": 64}))


@pytest.mark.parametrize(
    "text",
    ["null", "1", '"text"', "[]", "{}", "{", "[" * 900, '{"a":' * 3000, "\x00", '{"contract": 1}',
     '{"contract": 1' + "0" * 5000 + "}"],
)  # fmt: skip
def test_what_is_no_description(text):
    refused(text)


def test_a_description_that_is_missing():
    for text in (None, ""):
        with pytest.raises(ArtifactError, match="does not describe itself"):
            ArtifactInfo.from_json(text, PATH)
