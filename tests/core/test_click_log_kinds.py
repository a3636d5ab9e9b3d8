"""A click log of somebody else: every entry that decides about masks is of its kind."""

import copy
import json

import numpy as np
import pytest

from ritm_edge.errors import InputFileError
from ritm_edge.session import InteractiveSession
from ritm_edge.session.log import read_log

from .blob_runtime import BlobRuntime


@pytest.fixture(scope="module")
def document():
    session = InteractiveSession(BlobRuntime())
    session.set_image(np.zeros((60, 80, 3), np.uint8))
    session.click(30, 40)
    return json.loads(json.dumps(session.log()))


def entries(value, at=()):
    for key, each in value.items():
        yield (*at, key)
        if isinstance(each, dict):
            yield from entries(each, (*at, key))


@pytest.mark.parametrize("wrong", [{}, [], "2", [[1]], True, -3, 10**15 + 0.5, float("nan"), 1e400])
def test_every_entry_is_checked(document, tmp_path, wrong):
    path = tmp_path / "clicks.json"
    path.write_text(json.dumps(document))
    assert len(read_log(path).clicks) == 1
    for place in entries(document):
        changed = copy.deepcopy(document)
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        known = inner[place[-1]]
        if type(known) is bool and type(wrong) is bool:
            continue
        if {type(known), type(wrong)} in ({str}, {list}):
            continue
        is_measure = place[-1] in ("expansion", "recompute_iou", "threshold", "max_side")
        if is_measure and wrong == 10**15 + 0.5:
            continue
        inner[place[-1]] = wrong
        path.write_text(json.dumps(changed))
        with pytest.raises(InputFileError, match="is no click log"):
            read_log(path)
