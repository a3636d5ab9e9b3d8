"""The golden numbers of the repository: complete, small, and equal to those of the whole set."""

import json

import numpy as np
import pytest

from ..golden_files import load_arrays, load_json, read_arrays
from ..paths import GOLDEN, WHOLE_GOLDEN, requires_whole_golden

JSON_FILES = (
    "brs/unit.json",
    "coco_lvis.json",
    "losses.json",
    "maps.json",
    "metrics_clicker.json",
    "models.json",
    "train.json",
)
ARRAY_FILES = (
    "brs/unit.npz",
    "coco_lvis.npz",
    "losses.npz",
    "maps.npz",
    "metrics_clicker.npz",
    "train.npz",
)
MAX_BYTES = 1_500_000


def test_the_set_is_complete_and_small():
    """Never skipped: without these files, tests compare with nothing that was published."""
    files = [path for path in GOLDEN.rglob("*") if path.is_file()]
    names = {path.relative_to(GOLDEN).as_posix() for path in files}
    assert names == {"README.md", *JSON_FILES, *ARRAY_FILES}
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES


def assert_part_of(part, whole, where):
    if isinstance(part, dict):
        assert part
        assert part.keys() <= whole.keys(), where
        for key, value in part.items():
            assert_part_of(value, whole[key], f"{where}/{key}")
    else:
        assert part == whole, where


@requires_whole_golden
@pytest.mark.parametrize("name", JSON_FILES)
def test_values_are_those_of_the_whole_set(name):
    whole = json.loads((WHOLE_GOLDEN / name).read_text())
    assert_part_of(json.loads((GOLDEN / name).read_text()), whole, name)
    assert load_json(name) == whole


@requires_whole_golden
@pytest.mark.parametrize("name", ARRAY_FILES)
def test_arrays_are_those_of_the_whole_set(name):
    part, whole = read_arrays(GOLDEN / name), read_arrays(WHOLE_GOLDEN / name)
    assert part
    assert part.keys() <= whole.keys()
    for key, array in part.items():
        assert array.dtype == whole[key].dtype
        np.testing.assert_array_equal(array, whole[key])
    assert load_arrays(name).keys() == whole.keys()
