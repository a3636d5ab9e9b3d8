"""Nesting must not reach the C stack, whatever recursion limit a library has set."""

import json
import subprocess
import sys
import time
import tracemalloc
from contextlib import suppress

import pytest

from ritm_edge.untrusted_json import parse_json, shown


def test_ordinary_texts_are_parsed():
    assert parse_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert parse_json(b"[1.5]") == [1.5]
    with pytest.raises(ValueError):
        parse_json("{")


def test_deep_nesting_is_refused_even_with_a_raised_recursion_limit():
    code = (
        "import sys; from ritm_edge.untrusted_json import parse_json\n"
        "sys.setrecursionlimit(10**6)\n"
        "for text in ('[' * 10**6, b'{\"a\":' * 10**5):\n"
        "    try: parse_json(text)\n"
        "    except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("deeper than 40") == 2


def test_long_lists_are_fine_deep_ones_are_not():
    rows = [[index, '[{"'] for index in range(20_000)]
    assert parse_json(json.dumps(rows)) == rows
    for text in ("[" * 41 + "]" * 41, '{"a":' * 10**5, '"[" ' + "[" * 100, "[" * 4900 + "]" * 4900):
        with pytest.raises(ValueError, match="deeper than 40"):
            parse_json(text)
    assert parse_json(json.dumps('\\"[[' * 100 + '"{')) == '\\"[[' * 100 + '"{'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" * 20, "20 digits"),
        ("[-" + "1" * 5000 + "]", "5000 digits"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('"\\udc80\\ud800"', "surrogate"),
        ('"\ud800"', "surrogates not allowed"),
        (b'"\xed\xa0\x80"', "can't decode"),
        (b"\xff\xfe[\x00]\x00", "can't decode"),
        (" " * 100, "100 bytes, more than 99"),
    ],
)
def test_what_other_code_cannot_print_or_compute_with_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_json(text, most=len(text) - 1 if reason.endswith("99") else 10_000)


@pytest.mark.parametrize(
    "text", [b'"' + b'\\"' * 10**6, b'"' + b'\\"' * 10**6 + b'"', b"[" * 10**6, b'"' * 10**6]
)
def test_every_text_takes_linear_time_and_memory(text):
    tracemalloc.start()
    start = time.process_time()
    with suppress(ValueError):
        parse_json(text, most=len(text))
    assert time.process_time() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 50 * len(text)
    tracemalloc.stop()


def test_a_value_of_any_kind_can_be_shown():
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Hostile()) == "a Hostile"
    assert shown(10**5000) == "a int"
    assert shown("\x1b\n" * 100) == repr("\x1b\n" * 100)[:40]
