"""Golden traces, read without anything of ours, against the Python loop of docs/session.md."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ritm_edge.errors import UsageError
from ritm_edge.io_spec import IOSpec
from ritm_edge.session.fit import FITS
from ritm_edge.verification.golden import write_traces

from ..export.made_network import MadeNetwork, code

SPEC = IOSpec(96, 96, max_clicks=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("golden") / "traces"
    assert write_traces(MadeNetwork(spec=SPEC), path) == 18
    return path


def test_every_trace_is_repeated_by_the_loop_of_the_page(folder: Path) -> None:
    document = json.loads((folder / "traces.json").read_text())
    namespace: dict[str, Any] = {}
    exec(code("python"), namespace)
    seen: set[str] = set()
    for trace in document["traces"]:
        network = MadeNetwork(trace["fit"], SPEC)
        size = trace["height"], trace["width"]
        photo = np.fromfile(folder / trace["photo"], np.uint8).reshape(*size, 3)
        runs: list[dict[str, Any]] = []

        def step(name: str, arrays: Any, runs: Any = runs, network: Any = network) -> Any:
            if name != "network":
                return network.as_step(name, arrays)
            run = runs.pop(0)
            assert np.array_equal(arrays["clicks"].ravel(), np.float32(run["network_clicks"]))
            for key, digest in run["inputs_sha256"].items():
                assert hashlib.sha256(np.ascontiguousarray(arrays[key])).hexdigest() == digest
            output = np.fromfile(folder / run["output"], np.float32)
            return {"mask": output.reshape(1, 1, *document["side"])}

        loop = namespace["Session"](step, photo, document["slots"], document["side"], trace["flip"])
        if trace["start_mask"]:
            given = np.fromfile(folder / trace["start_mask"], np.uint8).reshape(size)
            rows, columns = given.any(1).nonzero()[0], given.any(0).nonzero()[0]
            loop.begin(given, np.float32([rows[0], rows[-1], columns[0], columns[-1]]))
        for action in trace["steps"]:
            runs[:] = action["runs"]
            known = {"row", "column", "positive", "index"} & action.keys()
            getattr(loop, action["action"])(**{key: action[key] for key in known})
            assert not runs
            clicks, output, placed, roi = loop.versions[loop.shown][-1]
            assert [list(click) for click in clicks] == action["clicks"]
            assert (None if roi[0] < 0 else roi.tolist()) == action["crop"]
            assert placed.tolist() == action["placed"]
            at = [np.arange(n, dtype=np.float32) for n in size]
            box = network.as_step("finish", {"output": output, "placed": placed,
                                             "rows": at[0], "columns": at[1]})["box"]  # fmt: skip
            assert (None if box[0] < 0 else box.tolist()) == action["box"]
            bits = np.fromfile(folder / action["mask"], np.uint8)
            mask = np.unpackbits(bits)[: size[0] * size[1]].reshape(size)
            assert np.array_equal(loop.mask(*at), mask)
            seen |= {"crop" if action["crop"] else "whole", "mask" if mask.any() else "nothing"}
    assert seen == {"crop", "whole", "mask", "nothing"}
    assert {trace["fit"] for trace in document["traces"]} == set(FITS)


def test_the_page_names_every_entry(folder: Path) -> None:
    from ..paths import ROOT

    page = (ROOT / "docs" / "golden-traces.md").read_text()
    document = json.loads((folder / "traces.json").read_text())
    trace = document["traces"][0]
    run = trace["steps"][0]["runs"][0]
    for key in [*document, *trace, *trace["steps"][0], *run]:
        assert f"`{key}`" in page or f"`runs[].{key}`" in page, key


def test_artifacts_that_cannot_hold_the_sessions_are_refused(tmp_path: Path) -> None:
    for spec in (IOSpec(), IOSpec(96, 96, max_clicks=5)):
        with pytest.raises(UsageError, match="pass an artifact of fixed size with more slots"):
            write_traces(MadeNetwork(spec=spec), tmp_path / "new")
    assert not list(tmp_path.iterdir())
