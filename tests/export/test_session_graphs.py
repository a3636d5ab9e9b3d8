"""Session graphs: computed with NumPy under the loops of docs/session.md, and as artifacts."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.artifacts.info import ArtifactInfo
from ritm_edge.cli.main import app
from ritm_edge.errors import ArtifactError, OutputFileError, ParityError, UsageError
from ritm_edge.export import pipeline
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.registry import find_target
from ritm_edge.export.session_graphs.steps import StepSettings, all_steps
from ritm_edge.io_spec import MASK, IOSpec
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.session import geometry
from ritm_edge.session.fit import FITS, Fit
from ritm_edge.session.geometry import NUMPY
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.verification.session_check import check_session, made_output

from ..paths import ROOT
from ..runtimes import FakeRuntime, tiny_info, tiny_reference
from .artifacts import skipped_without_its_extra

SPEC = IOSpec(48, 64, max_clicks=4)
XP = SimpleNamespace(
    **vars(NUMPY), flip=np.flip, integer=lambda x: x.astype(np.int32),
    byte=lambda x: x.astype(np.uint8),
    channels_first=lambda x: x.transpose(2, 0, 1),
)  # fmt: skip
Step = Callable[[str, Mapping[str, Any]], dict[str, Any]]


class MadeNetwork(FakeRuntime):
    """An artifact whose session graphs NumPy computes and whose network makes something up.

    The answer depends on nothing but the inputs, so that two sessions get the same.
    """

    def __init__(self, fit: Fit = "context", spec: IOSpec = SPEC) -> None:
        self.spec, self.settings = spec, StepSettings(spec, 0.49, fit)
        self.info = ArtifactInfo({"name": "tiny"}, spec, "onnx", "fp32", "0" * 64)
        self.info.__dict__["session"] = {**self.settings.facts, "screen_rows": 70,
                                         "screen_columns": 90, "files": {}}  # fmt: skip

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        rough = np.round(np.sum(np.float64(inputs["clicks"])) * 16 + inputs["image"].sum() / 999)
        rng = np.random.default_rng(int(abs(rough)))
        assert self.spec.size is not None
        return {MASK: made_output(rng, self.spec.size)[None, None]}

    def step(self, name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
        return self.as_step(name, arrays, screen={"rows": 70, "columns": 90})

    def as_step(
        self, name: str, arrays: Mapping[str, Any], screen: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """As the loops call it: screens of any length, the network among the graphs."""
        if name == "network":
            return self.run(arrays)
        step = all_steps(self.settings)[name]
        for tensor, (kind, shape) in step.inputs.items():
            given, lengths = arrays[tensor], screen or {}
            expected = tuple(lengths.get(n, len(given)) if isinstance(n, str) else n for n in shape)
            assert (given.dtype, given.shape) == (np.dtype(kind), expected), (name, tensor)
        found = step.compute(XP, self.settings, dict(arrays))
        return dict(zip(step.outputs, (np.asarray(each) for each in found), strict=True))


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


def code(language: str) -> str:
    text = (ROOT / "docs" / "session.md").read_text()
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


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
    names = {"remove": "remove_click", "move": "move_click"}
    taken, masks = [], []
    for name, *values in actions:
        try:
            getattr(session, names.get(name, name))(*values)
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
        with pytest.raises(ValueError, match="outside the photo"):
            loop.click(size[0], 0)
        with pytest.raises(ValueError, match="more than 4 clicks of one sign"):
            loop.edit(0, [(1, 1, True)] * 5)
    assert changed > 5


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

TARGETS = ["onnx", "tflite"]
ARTIFACT_SPEC = IOSpec(48, 64, max_clicks=6)


@pytest.fixture(scope="module", params=TARGETS)
def with_session(request: Any, tmp_path_factory: Any) -> Path:
    """A small export with session graphs."""
    target = find_target(request.param)
    path = tmp_path_factory.mktemp("session") / f"tiny{target.suffix}"
    with skipped_without_its_extra():
        export_model(
            tiny_reference(), tiny_info(SPEC, target.name), target, path, session="context"
        )
    return path


def test_an_export_carries_the_session_and_says_so(with_session: Path, tmp_path: Path) -> None:
    runtime = open_runtime(with_session)
    assert runtime.info is not None
    assert runtime.info.session is not None
    verified = runtime.info.session["verified"]
    assert verified["clicks"] >= pipeline.SESSION_CLICKS
    assert verified["differing"] == verified["differing_pixels"] == 0
    for made in (True, False):
        report = check_session(runtime, clicks=40, seed=11, made=made)
        assert report.passed, report
        assert report.worst["image"] == 0
    assert not [p for p in with_session.parent.iterdir() if p.name.startswith(".")]
    if with_session.suffix == ".onnx":
        folder = with_session.with_suffix(".session")
        names = {path.stem for path in folder.iterdir()}
        assert names == {"prepare", "finish", "begin", "mirror", "average"}
        copied = shutil.copytree(with_session.parent, tmp_path / "copy")
        (copied / folder.name / "prepare.onnx").write_bytes(b"another")
        session = InteractiveSession(open_runtime(copied / with_session.name), protocol="graphs")
        session.set_image(np.zeros((9, 9, 3), np.uint8))
        with pytest.raises(ArtifactError, match=r"is not the session graph that .* exported with"):
            session.click(1, 1)
        shutil.rmtree(copied / folder.name)
        with pytest.raises(Exception, match=r"prepare\.onnx"):
            session.click(1, 1)


def test_settings_that_the_graphs_do_not_have_are_refused(with_session: Path) -> None:
    runtime = open_runtime(with_session)
    for options in ({"fit": "stretch"}, {"threshold": 0.5}, {"zoom_in": None}, {"click_limit": 3}):
        with pytest.raises(UsageError, match=r"session graphs of .* were made with"):
            InteractiveSession(runtime, protocol="graphs", **options)


def test_the_whole_product_is_measured_and_clicks_as_the_python_session(
    with_session: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    for number in range(3):
        for folder in ("data_GT", "boundary_GT"):
            (tmp_path / "GrabCut" / folder).mkdir(parents=True, exist_ok=True)
        mask = np.zeros((260, 300), np.uint8)
        mask[20 + 30 * number : 90 + 30 * number, 60:200] = 255
        photo = rng.integers(0, 90, (*mask.shape, 3), dtype=np.uint8)
        photo[mask > 0] += 120
        assert cv2.imwrite(str(tmp_path / "GrabCut" / "data_GT" / f"{number}.png"), photo)
        assert cv2.imwrite(str(tmp_path / "GrabCut" / "boundary_GT" / f"{number}.bmp"), mask)
    command = ["bench", "noc", str(with_session), "--data", f"GrabCut={tmp_path / 'GrabCut'}",
               "--max-clicks", "4", "--all-clicks", "--json"]  # fmt: skip
    found = []
    for options in (["--protocol", "app"], ["--session-graphs"], []):
        result = CliRunner().invoke(app, [*command, *options])
        assert result.exit_code == 0, result.output
        found.append(json.loads(result.stdout)["reports"][0])
    clicks = [[each["clicks"] for each in report["per_object"]] for report in found]
    assert clicks[0] == clicks[1]
    assert [report["settings"]["protocol"] for report in found] == ["app", "graphs", "published"]
    for wrong in (["--session-graphs", "--protocol", "app"], ["--protocol", "mine"],
                  ["--session-graphs", "--fit", "stretch"],
                  ["--start-iou", "0.7", "--protocol", "published"]):  # fmt: skip
        refused = CliRunner().invoke(app, [*command, *wrong])
        assert isinstance(refused.exception, UsageError), (wrong, refused.output)


def test_predict_runs_the_graphs_and_repeats_a_log(with_session: Path, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), photo[..., ::-1])
    session = InteractiveSession(open_runtime(with_session), flip=False)
    session.set_image(photo)
    session.click(30, 40.5)
    session.click(80, 5, positive=False)
    log = tmp_path / "clicks.json"
    log.write_text(json.dumps(session.log()))
    command = ["predict", str(path), "--artifact", str(with_session)]
    for graphs in ([], ["--session-graphs"]):
        out = tmp_path / "mask.png"
        result = CliRunner().invoke(app, [*command, "--clicks", str(log), "-o", str(out), *graphs])
        assert result.exit_code == 0, result.output
        assert np.array_equal(cv2.imread(str(out), 0) > 0, session.mask)
    with_flip = ["--click", "30,40.5", "--click", "80,5,neg", "-o"]
    for name, graphs in (("a.png", []), ("b.png", ["--session-graphs"])):
        result = CliRunner().invoke(app, [*command, *with_flip, str(tmp_path / name), *graphs])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    small = tmp_path / "small.png"
    assert cv2.imwrite(str(small), photo[:50])
    for wrong in ([str(path), "--clicks", str(log)],
                  [str(small), "--artifact", str(with_session), "--clicks", str(log)],
                  [*command[1:], "--clicks", str(log), "--click", "1,1"]):  # fmt: skip
        refused = CliRunner().invoke(app, ["predict", *wrong, "-o", str(tmp_path / "no.png")])
        assert isinstance(refused.exception, UsageError), refused.output
    assert not (tmp_path / "no.png").exists()


def test_golden_traces_are_written_for_an_artifact(with_session: Path, tmp_path: Path) -> None:
    command = ["golden", str(with_session), "-o", str(tmp_path / "golden")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "golden" / "traces.json").read_text())
    assert document["artifact_sha256"] == open_runtime(with_session).sha256
    assert len(document["traces"]) == 18
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, OutputFileError)


def test_an_export_whose_session_differs_leaves_nothing(
    with_session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graphs are those of the finished export: the target converts nothing anew."""
    info = open_runtime(with_session).info
    assert info is not None
    real = geometry.Frame.box

    def wrong(self: Any, *arguments: Any) -> Any:
        box, found = real(self, *arguments)
        return geometry.Rect(box.start - 60, box.end), found

    def convert(_source: Any, path: Path) -> None:
        shutil.copy(with_session, path)

    def add_session(_settings: Any, path: Path) -> Any:
        folder = with_session.with_suffix(".session")
        if folder.exists():
            shutil.copytree(folder, path.with_suffix(".session"))
        return info.session

    target = replace(find_target(info.target), convert=convert, add_session=add_session)
    path = tmp_path / f"tiny{target.suffix}"
    plain = tiny_info(ARTIFACT_SPEC, target.name)
    exported = export_model(tiny_reference(), plain, target, path, session="context")
    assert exported.path == path
    before = sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())
    monkeypatch.setattr(geometry.Frame, "box", wrong)
    with pytest.raises(ParityError, match="do not ship them"):
        export_model(tiny_reference(), plain, target, path, session="context")
    assert before == sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("name", ["coreml", "openvino", "ncnn"])
def test_targets_without_session_graphs_say_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no session graphs"):
        export_model(
            tiny_reference(), tiny_info(SPEC, name), find_target(name), tmp_path / "x",
            session="context",
        )  # fmt: skip
    with pytest.raises(UsageError, match="no session graphs at any size"):
        export_model(
            tiny_reference(), tiny_info(IOSpec(), "onnx"), find_target("onnx"), tmp_path / "x",
            session="context",
        )  # fmt: skip


def test_files_without_session_graphs_say_so(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    with skipped_without_its_extra():
        export_model(tiny_reference(), tiny_info(SPEC, "onnx"), find_target("onnx"), path)
    runtime: Any = open_runtime(path)
    with pytest.raises(ArtifactError, match="export it with --session"):
        InteractiveSession(runtime, protocol="graphs")
    with pytest.raises(ArtifactError, match="export it with --session"):
        runtime.step("prepare", {})
