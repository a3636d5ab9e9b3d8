"""Nesting must not reach the C stack, whatever recursion limit a library has set."""

import json
import subprocess
import sys

import pytest

from ritm_edge.untrusted_json import parse_json, parse_long_json


def test_ordinary_texts_are_parsed():
    assert parse_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert parse_json(b"[1.5]") == [1.5]
    with pytest.raises(ValueError):
        parse_json("{")


def test_deep_nesting_is_refused_even_with_a_raised_recursion_limit():
    code = (
        "import sys; from ritm_edge.untrusted_json import parse_json\n"
        "sys.setrecursionlimit(10**6)\n"
        "for text in ('[' * 10**6, b'{\"a\":' * 10**6):\n"
        "    try: parse_json(text)\n"
        "    except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("more than 10000 brackets") == 2


def test_long_lists_are_fine_deep_ones_are_not():
    rows = [[index, '[{"'] for index in range(20_000)]
    assert parse_long_json(json.dumps(rows)) == rows
    with pytest.raises(ValueError, match="more than"):
        parse_json(json.dumps(rows))
    for text in ("[" * 41 + "]" * 41, '{"a":' * 10**6, '"[" ' + "[" * 100, '"' + "[" * 100):
        with pytest.raises(ValueError, match="deeper than 40"):
            parse_long_json(text)
