"""Session graphs as artifacts, and the commands that run them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.errors import ArtifactError, OutputFileError, ParityError, UsageError
from ritm_edge.export import pipeline
from ritm_edge.export.pipeline import export_model
from ritm_edge.export.registry import find_target
from ritm_edge.export.session_graphs.tensorflow import LARGEST_PHOTO
from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.session import geometry
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.verification.parity import parity_cases
from ritm_edge.verification.session_check import MadeRuntime, check_session, made_output

from ..runtimes import tiny_info, tiny_reference
from .artifacts import skipped_without_its_extra
from .made_network import SPEC


@pytest.fixture
def artifact(with_session: tuple[Path, Path]) -> Path:
    """A small export with session graphs; not to be changed."""
    return with_session[0]


def test_an_export_carries_the_session_and_says_so(artifact: Path) -> None:
    runtime = open_runtime(artifact)
    assert runtime.info is not None
    assert runtime.info.session is not None
    verified = runtime.info.session["verified"]
    assert verified["clicks"] >= pipeline.SESSION_CLICKS
    assert verified["differing"] == verified["differing_pixels"] == 0
    for made in (True, False):
        report = check_session(runtime, clicks=40, seed=11, made=made)
        assert report.passed, report
        assert report.worst["image"] == 0
    assert not [p for p in artifact.parent.iterdir() if p.name.startswith(".")]
    if artifact.suffix == ".onnx":
        folder = artifact.with_suffix(".session")
        names = {path.stem for path in folder.iterdir()}
        assert names == {"prepare", "finish", "begin", "mirror", "average"}


def test_the_network_answers_to_the_bit_as_before_the_graphs_were_added(
    with_session: tuple[Path, Path],
) -> None:
    after, before = map(open_runtime, with_session)
    assert after.info is not None
    assert before.info is not None
    assert after.info.session
    assert before.info.session is None
    for case in parity_cases(SPEC):
        masks = [runtime.run(case.inputs)["mask"] for runtime in (after, before)]
        assert np.array_equal(*masks), case.name


def test_a_photo_of_more_pixels_than_the_file_declares_is_that_of_the_python_session(
    artifact: Path,
) -> None:
    size, runtime = (3100, 4100), open_runtime(artifact)
    assert size[0] * size[1] > LARGEST_PHOTO
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    at = [np.linspace(0, n - 1, n // 3) for n in size]
    found = []
    for protocol in ("app", "graphs"):
        made = MadeRuntime(runtime)
        session = InteractiveSession(made, protocol=protocol, flip=False)
        session.set_image(photo)
        rng = np.random.default_rng(4)
        for where in ((3000.5, 4090), (20, 4000.25), (1500, 7)):
            made.answers = [made_output(rng, SPEC.size)]
            session.advance(*where)
            found.append((session.zoom_roi, made.inputs["image"], session.mask_at(*at)))
    for python, graphs in zip(found[:3], found[3:], strict=True):
        assert python[0] == graphs[0]
        assert np.array_equal(python[1], graphs[1])
        assert np.array_equal(python[2], graphs[2])
    assert any(mask.any() and not mask.all() for _, _, mask in found)


def test_settings_that_the_graphs_do_not_have_are_refused(artifact: Path) -> None:
    runtime = open_runtime(artifact)
    for options in ({"fit": "stretch"}, {"threshold": 0.5}, {"zoom_in": None}, {"click_limit": 3}):
        with pytest.raises(UsageError, match=r"session graphs of .* were made with"):
            InteractiveSession(runtime, protocol="graphs", **options)


def test_the_whole_product_is_measured_and_clicks_as_the_python_session(
    artifact: Path, tmp_path: Path
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
    command = ["bench", "noc", str(artifact), "--data", f"GrabCut={tmp_path / 'GrabCut'}",
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


def test_predict_runs_the_graphs_and_repeats_a_log(artifact: Path, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), photo[..., ::-1])
    session = InteractiveSession(open_runtime(artifact), flip=False)
    session.set_image(photo)
    session.click(30, 40.5)
    session.click(80, 5, positive=False)
    log = tmp_path / "clicks.json"
    log.write_text(json.dumps(session.log()))
    command = ["predict", str(path), "--artifact", str(artifact)]
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
                  [str(small), "--artifact", str(artifact), "--clicks", str(log)],
                  [*command[1:], "--clicks", str(log), "--click", "1,1"]):  # fmt: skip
        refused = CliRunner().invoke(app, ["predict", *wrong, "-o", str(tmp_path / "no.png")])
        assert isinstance(refused.exception, UsageError), refused.output
    assert not (tmp_path / "no.png").exists()


def test_golden_traces_are_written_for_an_artifact(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    spec = IOSpec(64, 64, max_clicks=6)
    with skipped_without_its_extra():
        export_model(tiny_reference(), tiny_info(spec, "onnx"), find_target("onnx"), path)
    command = ["golden", str(path), "-o", str(tmp_path / "golden")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "golden" / "traces.json").read_text())
    assert document["artifact_sha256"] == open_runtime(path).sha256
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, OutputFileError)


def test_an_export_whose_session_differs_leaves_nothing(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graphs are those of the finished export: the target converts nothing anew."""
    info = open_runtime(artifact).info
    assert info is not None
    real = geometry.Frame.box

    def wrong(self: Any, *arguments: Any) -> Any:
        box, found = real(self, *arguments)
        return geometry.Rect(box.start - 60, box.end), found

    def convert(_source: Any, path: Path) -> None:
        shutil.copy(artifact, path)

    def add_session(_settings: Any, path: Path) -> Any:
        folder = artifact.with_suffix(".session")
        if folder.exists():
            shutil.copytree(folder, path.with_suffix(".session"))
        return info.session

    target = replace(find_target(info.target), convert=convert, add_session=add_session)
    path = tmp_path / f"tiny{target.suffix}"
    plain = tiny_info(SPEC, target.name)
    exported = export_model(tiny_reference(), plain, target, path, session="context")
    assert exported.path == path
    before = sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())
    monkeypatch.setattr(geometry.Frame, "box", wrong)
    with pytest.raises(ParityError, match="do not ship them"):
        export_model(tiny_reference(), plain, target, path, session="context")
    assert before == sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("name", ["coreml", "openvino", "ncnn", "executorch"])
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
