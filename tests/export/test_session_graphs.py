"""Session graphs: computed with NumPy under the loops of docs/session.md, and as artifacts."""

import base64
import contextlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ritm_edge.errors import ParityError, UsageError
from ritm_edge.export.session_graphs.steps import all_steps
from ritm_edge.session.fit import FITS, Fit
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.verification.session_check import check_session

from .made_network import SPEC, MadeNetwork, code


@pytest.mark.parametrize("fit", FITS)
def test_the_graphs_computed_by_numpy_are_the_python_session(fit: Fit) -> None:
    report = check_session(MadeNetwork(fit), clicks=100, seed=3)
    assert report.passed, report.examples
    assert report.differing_pixels == 0
    assert report.pixels > 100_000
    assert max(report.worst.values()) == 0


@pytest.mark.parametrize("which", ["prepare", "finish"])
def test_a_session_check_notices_a_wrong_crop_and_a_wrong_mask(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = MadeNetwork()
    right = network.step

    def wrong(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
        found = right(name, arrays)
        if name == which:
            key = "new_roi" if name == "prepare" else "mask"
            found[key] = np.where(found[key] > 40, found[key] - 1, found[key])
            if name == "finish":
                found[key] = np.roll(found[key], 1, 0)
        return found

    monkeypatch.setattr(network, "step", wrong)
    report = check_session(network, clicks=60, seed=1)
    assert not report.passed
    with pytest.raises(ParityError, match="do not ship them"):
        report.require_passed("x.onnx")


EDITS = {"remove": "remove_click", "move": "move_click"}


def edits(seed: int, size: tuple[int, int]) -> list[list[Any]]:
    """A random sequence of edits that four slots hold."""
    rng = np.random.default_rng(seed)
    done: list[list[Any]] = []
    for number in range(14):
        where = [float(np.float32(rng.uniform(0, n - 0.01))) for n in size]
        kind = str(
            rng.choice(["click", "undo", "redo", "remove", "move"], p=[0.4, 0.2, 0.1, 0.15, 0.15])
        )
        if number < 2 or kind == "click":
            done.append(["click", *where, bool(rng.random() < 0.5)])
        elif kind in ("remove", "move"):
            done.append([kind, int(rng.integers(0, 3)), *(where if kind == "move" else [])])
        else:
            done.append([kind])
    return done


def expected(
    network: MadeNetwork,
    photo: np.ndarray,
    actions: list[list[Any]],
    *,
    flip: bool,
    given: np.ndarray | None = None,
) -> tuple[list[list[Any]], list[np.ndarray]]:
    """The actions that the Python session takes, and the mask after each."""
    session = InteractiveSession(network, flip=flip, fit=network.settings.fit)
    session.set_image(photo)
    if given is not None:
        session.set_mask(given)
    taken, masks = [], []
    for name, *values in actions:
        try:
            getattr(session, EDITS.get(name, name))(*values)
        except UsageError:
            continue  # nothing to undo, no such click, no slot
        taken.append([name, *values])
        masks.append(session.mask if session.clicks else np.zeros(photo.shape[:2], bool))
    return taken, masks


CASES = [
    (fit, flip, size) for fit in FITS for flip in (False, True) for size in ((60, 90), (70, 33))
]


@pytest.mark.parametrize(("fit", "flip", "size"), CASES)
def test_the_python_loop_of_the_page_is_the_session(fit: Fit, flip: bool, size: Any) -> None:
    namespace: dict[str, Any] = {}
    exec(code("python"), namespace)
    network = MadeNetwork(fit)
    photo = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    positions = [np.arange(n, dtype=np.float32) for n in size]
    changed = 0
    for seed in range(2):
        taken, masks = expected(network, photo, edits(seed, size), flip=flip)
        loop = namespace["Session"](network.as_step, photo, 4, SPEC.size, flip)
        for (name, *values), mask in zip(taken, masks, strict=True):
            getattr(loop, name)(*values)
            found = loop.mask(*positions) > 0
            if loop.clicks():
                assert np.array_equal(found, mask)
                changed += int(mask.any())
        fresh = namespace["Session"](network.as_step, photo, 4, SPEC.size, flip)
        for click in loop.clicks():
            fresh.click(*click)
        for left, again in zip(loop.versions[loop.shown], fresh.versions[-1], strict=True):
            assert left[0] == again[0]
            assert all(np.array_equal(*pair) for pair in zip(left[1:], again[1:], strict=True))
        with pytest.raises(ValueError, match="outside the photo"):
            loop.click(size[0], 0)
        with pytest.raises(ValueError, match="more than 4 clicks of one sign"):
            loop.edit(0, [(1, 1, True)] * 5)
    assert changed > 5


@pytest.mark.parametrize(("fit", "flip", "size"), CASES)
@pytest.mark.parametrize("masked", [False, True])
def test_any_edits_leave_the_graphs_session_of_the_clicks_that_are_left(
    fit: Fit, flip: bool, size: Any, masked: bool
) -> None:
    network = MadeNetwork(fit)
    photo = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    sessions = []
    for actions in (edits(3, size), []):
        session = InteractiveSession(network, protocol="graphs", fit=fit, flip=flip)
        session.set_image(photo)
        if masked:
            session.set_mask(photo[..., 0] > 128)
        for name, *values in actions:
            with contextlib.suppress(UsageError):
                getattr(session, EDITS.get(name, name))(*values)
        for click in sessions[0].clicks if sessions else ():
            session.click(click.row, click.column, click.positive)
        sessions.append(session)
    states = [session._state for session in sessions]
    assert len(states[0].clicks) > 2
    for name in ("clicks", "roi", "placed", "output"):
        assert np.array_equal(*(getattr(state, name) for state in states)), name
    assert np.array_equal(*(session.mask for session in sessions))


@pytest.mark.parametrize(("fit", "flip", "size"), CASES)
def test_the_javascript_loop_of_the_page_is_the_session(
    fit: Fit, flip: bool, size: Any, tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    network = MadeNetwork(fit)
    rng = np.random.default_rng(2)
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    given = np.zeros(size, bool)
    given[10:30, 5:28] = True
    taken, masks = expected(network, photo, edits(5, size), flip=flip, given=given)
    (tmp_path / "session.mjs").write_text(code("javascript"))
    (tmp_path / "driver.mjs").write_text(DRIVER)
    job = {
        "pixels": _sent(photo),
        "size": size,
        "side": SPEC.size,
        "flip": flip,
        "actions": taken,
        "mask": _sent(np.uint8(given) * 255),
        "box": _sent(np.float32([10, 29, 5, 27])),
    }
    with subprocess.Popen(
        [node, "driver.mjs"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(job), file=process.stdin, flush=True)
        found = []
        for line in process.stdout:
            message = json.loads(line)
            if "shown" in message:
                found.append(_received(message["shown"], np.uint8).reshape(size) > 0)
                continue
            if "refused" in message:
                assert message["refused"] == ["RangeError", "RangeError"]
                break
            answer = network.as_step(message["name"], _shaped(message, network))
            print(
                json.dumps({k: _sent(v) for k, v in answer.items()}), file=process.stdin, flush=True
            )
        process.stdin.close()
        assert process.wait(30) == 0
    assert len(found) == len(masks)
    for shown, mask in zip(found, masks, strict=True):
        assert not mask.any() or np.array_equal(shown, mask)
    assert sum(mask.any() for mask in masks) > 3


def _sent(array: np.ndarray) -> dict[str, str]:
    return {
        "kind": str(array.dtype),
        "data": base64.b64encode(np.ascontiguousarray(array)).decode(),
    }


def _received(sent: Mapping[str, str], kind: Any) -> np.ndarray:
    return np.frombuffer(base64.b64decode(sent["data"]), kind)


def _shaped(message: Mapping[str, Any], network: MadeNetwork) -> dict[str, np.ndarray]:
    shapes = {"image": (1, 3, 48, 64), "prev_mask": (1, 1, 48, 64), "clicks": (1, 8, 3)}
    step = all_steps(network.settings).get(message["name"])
    if step is not None:
        shapes = {
            n: tuple(-1 if isinstance(i, str) else i for i in s)
            for n, (_, s) in step.inputs.items()
        }
    return {
        n: _received(a, np.dtype(a["kind"])).reshape(shapes[n])
        for n, a in message["arrays"].items()
    }


DRIVER = """
import fs from "node:fs";
import { Session } from "./session.mjs";
let rest = "";
const readLine = () => {
  const buffer = Buffer.alloc(1 << 20);
  while (!rest.includes("\\n")) {
    try { rest += buffer.toString("utf8", 0, fs.readSync(0, buffer)); }
    catch (e) { if (e.code !== "EAGAIN") throw e; }
  }
  const line = rest.slice(0, rest.indexOf("\\n"));
  rest = rest.slice(line.length + 1);
  return line;
};
const write = (value) => {
  let data = Buffer.from(JSON.stringify(value) + "\\n");
  while (data.length) {
    try { data = data.subarray(fs.writeSync(1, data)); }
    catch (e) { if (e.code !== "EAGAIN") throw e; }
  }
};
const pack = (a) => ({ kind: a instanceof Uint8Array ? "uint8" : "float32",
  data: Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString("base64") });
const unpack = ({ kind, data }) => {
  const bytes = Uint8Array.from(Buffer.from(data, "base64"));
  return kind === "uint8" ? bytes : new Float32Array(bytes.buffer);
};
const map = (o, f) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, f(v)]));
const step = async (name, arrays) => {
  write({ name, arrays: map(arrays, pack) });
  return map(JSON.parse(readLine()), unpack);
};
const job = JSON.parse(readLine());
const session = new Session(step, unpack(job.pixels), job.size, 4, job.side, job.flip);
await session.begin(unpack(job.mask), unpack(job.box));
const [rows, columns] = job.size.map((n) => Float32Array.from({ length: n }, (_, i) => i));
for (const [name, ...values] of job.actions) {
  await session[name](...values);
  write({ shown: pack(await session.mask(rows, columns)) });
}
const refused = [];
try { await session.click(job.size[0], 0); } catch (e) { refused.push(e.constructor.name); }
const click = { row: 1, column: 1, positive: true };
try { await session.edit(0, Array(5).fill(click)); } catch (e) { refused.push(e.constructor.name); }
write({ refused });
"""
