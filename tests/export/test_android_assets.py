"""What `ritm-edge export --android` puts where the app looks."""

import json
from pathlib import Path

import pytest

from ritm_edge.errors import ArtifactError, OutputFileError
from ritm_edge.io_spec import IOSpec
from ritm_edge.verification import android_assets
from ritm_edge.verification.android_assets import write_assets

from .made_network import MadeNetwork

SPEC = IOSpec(48, 48, max_clicks=6)


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    """Opens made networks, of the fit that the file's content names."""

    def opened(path: Path) -> MadeNetwork:
        network = MadeNetwork(path.read_text(), SPEC)
        network.sha256 = path.read_text() * 8
        return network

    monkeypatch.setattr(android_assets, "open_runtime", opened)
    path = tmp_path / "model-48x48.tflite"
    path.write_text("context")
    return path


def fits(folder: Path) -> set[str]:
    document = json.loads((folder / "golden/traces.json").read_text())
    for trace in document["traces"]:
        for name in [trace["photo"], *(step["mask"] for step in trace["steps"])]:
            assert (folder / "golden" / name).exists()
    return {trace["fit"] for trace in document["traces"]}


def test_model_and_traces_of_its_fit_are_written_and_replaced(tmp_path, artifact):
    folder = tmp_path / "app/src/main/assets"
    write_assets(artifact, folder)
    assert (folder / "model.tflite").read_text() == "context"
    assert fits(folder) == {"context"}
    before = {each.name for each in (folder / "golden").iterdir()}
    (folder / "other.txt").write_text("stays")
    artifact.write_text("stretch")
    write_assets(artifact, folder)
    assert fits(folder) == {"stretch"}
    named = {each.name for each in (folder / "golden").iterdir()}
    assert named != before
    assert {each.name for each in folder.iterdir()} == {"model.tflite", "golden", "other.txt"}


def test_an_artifact_without_session_graphs_leaves_what_was_there(tmp_path, artifact, monkeypatch):
    write_assets(artifact, tmp_path / "assets")
    network = MadeNetwork("context", SPEC)
    network.info.__dict__["session"] = None
    monkeypatch.setattr(android_assets, "open_runtime", lambda _: network)
    with pytest.raises(ArtifactError, match="export it with --session"):
        write_assets(artifact, tmp_path / "assets")
    assert fits(tmp_path / "assets") == {"context"}


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path, artifact):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputFileError, match="cannot write"):
        write_assets(artifact, tmp_path / "file" / "assets")
