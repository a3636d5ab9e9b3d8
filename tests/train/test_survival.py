"""What is left when a run is killed, the disk is full, or the loss is lost."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ritm_edge.errors import TrainingError
from ritm_edge.model.ritm import HRNETS
from ritm_edge.train.loop import train
from ritm_edge.train.run_log import LOG
from ritm_edge.train.state import LAST_CHECKPOINT, WEIGHTS

from ..models import TINY
from ..paths import ROOT
from .diverging import let_the_loss_diverge
from .photos import small_config

CONFIG = small_config(steps=40, ema_decay=0.9, grad_clip=1.0)
SECONDS = 120
SCRIPT = """
import sys
from pathlib import Path
from tests.train.test_survival import train_here
train_here(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def train_here(photos: Path, output: Path) -> Path:
    """Train or resume; this runs in a process of its own, which gets killed."""
    HRNETS["hrnet18s"] = TINY  # the fixture does not reach other processes
    torch.set_num_threads(1)
    options = {"workers": 1, "tensorboard": False, "device": "cpu"}
    return train(CONFIG, data=photos, output=output, resume=True, save_every=3, **options)


def start(photos: Path, output: Path, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(photos), str(output)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def same(one, two) -> bool:
    """Equal to the last bit, at every place of nested containers."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


@pytest.mark.usefixtures("tiny_networks")
def test_a_run_killed_again_and_again_ends_as_if_nothing_had_happened(photos, tmp_path):
    output = tmp_path / "killed"
    last, seen = output / LAST_CHECKPOINT, None
    for _ in range(2):
        process = start(photos, output)
        try:
            deadline = time.monotonic() + SECONDS
            # Killed soon after a checkpoint, so in the middle of other steps or of the next save.
            while not last.exists() or last.stat().st_mtime_ns == seen:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.002)
            seen = last.stat().st_mtime_ns
        finally:
            process.kill()
            process.wait()
        assert process.returncode == -signal.SIGKILL
        assert torch.load(last, weights_only=True)["training"]["step"] < CONFIG.schedule.steps
    train_here(photos, output)
    straight = train_here(photos, tmp_path / "straight")

    assert same(torch.load(last, weights_only=True), torch.load(straight, weights_only=True))
    weights = [(tmp_path / name / WEIGHTS).read_bytes() for name in ("killed", "straight")]
    assert weights[0] == weights[1]
    logs = [(tmp_path / name / LOG).read_text().splitlines() for name in ("killed", "straight")]
    steps = [[json.loads(row)["step"] for row in log] for log in logs]
    assert steps[0] == steps[1] == [20, 40]
    assert not list(output.glob(".*")), "partly written files are removed"


@pytest.mark.usefixtures("tiny_networks")
def test_a_file_system_that_takes_no_more_stops_the_run_and_keeps_the_checkpoint(photos, tmp_path):
    """The kernel refuses the write itself (the limit on a file's size), as on a full disk."""
    output = tmp_path / "run"
    asked = iter(range(1, 100))
    options = {"workers": 0, "tensorboard": False, "device": "cpu"}
    last = train(CONFIG, data=photos, output=output, stop=lambda: next(asked) == 2, **options)
    before = last.read_bytes()

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

    process = start(photos, output, preexec_fn=limit)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode != 0
    message = errors.strip().splitlines()[-1]
    assert message.startswith("ritm_edge.errors.OutputFileError: cannot write"), errors
    assert "File too large" in message
    assert last.read_bytes() == before
    assert sorted(p.name for p in output.iterdir()) == [LAST_CHECKPOINT, LOG, WEIGHTS]


@pytest.mark.usefixtures("tiny_networks")
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_the_batch_of_a_diverged_step_is_kept_for_inspection(photos, tmp_path, monkeypatch, where):
    let_the_loss_diverge(monkeypatch, where, when=lambda call: call >= 3)
    output = tmp_path / "run"
    options = {"workers": 0, "tensorboard": False, "device": "cpu"}
    place = output / "diverged-step-4.pth"
    with pytest.raises(
        TrainingError, match=f"not finite at step 4 .*its batch is in {place}; begin again .*--lr"
    ):
        train(CONFIG, data=photos, output=output, save_every=2, **options)
    batch = torch.load(place, weights_only=True)
    height, width = CONFIG.augmentation.crop
    assert batch["image"].shape == (2, 3, height, width)
    assert batch["labels"].shape == batch["prev_mask"].shape == (2, 1, height, width)
    assert batch["clicks"].shape == batch["corrected_clicks"].shape == (2, 48, 3)
    kept = torch.load(output / LAST_CHECKPOINT, weights_only=True)
    assert kept["training"]["step"] == 2
    assert all(v.isfinite().all() for v in kept["state_dict"].values())
