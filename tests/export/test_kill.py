"""An export that is killed leaves nothing under the final name, and the next one clears up."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ritm_edge.files import scratch_folder, temporary_name

MOMENTS = 20
# One process imports everything and measures an export; its children are killed on the way.
KILLED = f"""
import os, signal, sys, tempfile, time
from pathlib import Path
import torch
from ritm_edge.export.pipeline import export_checkpoint
from ritm_edge.export.registry import find_target
from ritm_edge.io_spec import IOSpec
from ritm_edge.session.fit import check_fit
from ritm_edge.weights import default_checkpoint

torch.set_num_threads(1)
there = Path(sys.argv[1])

def export():
    export_checkpoint(
        default_checkpoint("lite0"),
        find_target("onnx"),
        spec=IOSpec(32, 32, max_clicks=2),
        output=there,
        session=check_fit("context"),
    )

start = time.monotonic()
export()
whole = time.monotonic() - start
good = sorted(path.name for path in there.iterdir())
for moment in range({MOMENTS}):
    for path in there.iterdir():
        if path.is_dir():
            for each in path.iterdir():
                each.unlink()
            path.rmdir()
        else:
            path.unlink()
    child = os.fork()
    if child == 0:
        export()
        os._exit(0)
    time.sleep(whole * (moment + 0.5) / {MOMENTS})
    os.kill(child, signal.SIGKILL)
    finished = os.waitpid(child, 0)[1] == 0
    named = sorted(path.name for path in there.iterdir() if not path.name.startswith("."))
    # The session's folder gets its name just before the network's file.
    assert named in ([], good, [name for name in good if name.endswith(".session")]), named
export()
assert sorted(path.name for path in there.iterdir()) == good, "litter"
left = {{path.name for path in Path(tempfile.gettempdir()).iterdir()}}
assert left <= {{"torchinductor_root"}}, left  # torch's own, which stays empty
print("killed", good)
"""


def test_an_export_killed_at_any_moment(tmp_path):
    there, scratch = tmp_path / "artifacts", tmp_path / "scratch"
    there.mkdir()
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, str(there)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "killed ['lite0-32x32.onnx', 'lite0-32x32.session']" in done.stdout


def dead_process() -> int:
    process = subprocess.Popen(["sleep", "60"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    return process.pid


def test_only_what_a_dead_process_left_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = tmp_path / temporary_name(".onnx")
    theirs = tmp_path / mine.name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
    elsewhere = tmp_path / theirs.name.replace(".ritm-edge-", ".ritm-edge-0")
    for path in (mine, elsewhere, tmp_path / ".hidden", tmp_path / "model.onnx"):
        path.write_text("kept")
    (theirs / "inside").mkdir(parents=True)
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
    assert not theirs.exists()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), None])
def test_a_full_folder_of_temporary_files_is_named(tmp_path, monkeypatch, error):
    from ritm_edge.errors import ConversionError, OutputFileError
    from ritm_edge.files import atomic_output

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))
    (tmp_path / "full").mkdir()
    if error is None:  # a tool fails and does not say why
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with (
        pytest.raises(OutputFileError, match=r"temporary files in .*full: No space") as caught,
        atomic_output(tmp_path / "model.onnx"),
        scratch_folder(),
    ):
        raise error or ConversionError("the tool failed: try again.")
    assert "TMPDIR" in str(caught.value)
    assert [path.name for path in Path(tmp_path).rglob("*")] == ["full"]
