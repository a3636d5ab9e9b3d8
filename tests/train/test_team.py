"""Two processes over gloo do what one does with the joint batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ritm_edge.errors import UsageError
from ritm_edge.model.ritm import HRNETS, build_model
from ritm_edge.train.broken import BROKEN_LOG, BrokenFiles
from ritm_edge.train.config import TrainConfig
from ritm_edge.train.datasets import find_entries
from ritm_edge.train.device_batches import make_dataset
from ritm_edge.train.distributed import DistributedContext
from ritm_edge.train.loader import batches
from ritm_edge.train.loop import train
from ritm_edge.train.photo_cache import PhotoCache
from ritm_edge.train.start import initialise
from ritm_edge.train.state import LAST_CHECKPOINT
from ritm_edge.train.step import Trainer
from ritm_edge.train.validation import validate

from ..models import TINY, tiny_model
from ..paths import ROOT
from .drawn_benchmark import BENCHMARK
from .photos import small_config
from .processes import SECONDS, run_team

ALONE = DistributedContext(0, 1, torch.device("cpu"))
# A low rate: Adam turns rounding into whole steps where a gradient is nearly 0.
SETTINGS = {"batch_size": 4, "crop": (64, 64), "max_iterations": 2, "lr": 1e-5}
CONFIG = small_config(**SETTINGS)
PATHS = {
    "cpu": CONFIG,
    "device": small_config(
        **SETTINGS,
        **{"augmentation.kind": "windows", "run.batches": "device"},
        damaged_start_probability=0.3,
    ),
}


def own_batches(
    team: DistributedContext, photos: Path, steps: int, config: TrainConfig = CONFIG
) -> list[dict[str, torch.Tensor]]:
    entries = find_entries(("folder",), photos)
    cache = PhotoCache(entries, config, None, 0)
    samples = make_dataset(entries, config, team.device, cache, start=0)
    stream = batches(
        samples,
        batch_size=team.share(CONFIG.data.batch_size),
        workers=0,
        broken=BrokenFiles(photos / BROKEN_LOG, photos=4),
        rank=team.rank,
        processes=team.size,
    )
    return [next(stream) for _ in range(steps)]


def gradients_of_one_step(
    team: DistributedContext, photos: Path, path: str
) -> dict[str, torch.Tensor]:
    """Everything one step leaves behind, in double precision: equal has to mean equal."""
    HRNETS["hrnet18s"] = TINY  # the fixture does not reach other processes
    torch.manual_seed(0)
    model = build_model("hrnet18s")
    initialise(model)
    config = PATHS[path]
    trainer = Trainer(model.double(), config, team)
    batch = own_batches(team, photos, 3, config)[2]
    if path == "device":
        maker = trainer.maker
        trainer.maker = lambda plan: {name: v.double() for name, v in maker(plan).items()}
    else:
        batch = {name: value.double() for name, value in batch.items()}
    # The third step has two corrections, whose clicks are drawn at random.
    result = trainer.step(batch, step=2, rate=1e-3)
    found = dict(zip(("loss", "iou", "norm"), result.values, strict=False))
    found |= {f"gradient {name}": p.grad for name, p in trainer.model.named_parameters()}
    found |= {f"state {name}": v.double() for name, v in trainer.model.state_dict().items()}
    return found | {"clicks": result.clicks}


@pytest.mark.usefixtures("tiny_networks")
@pytest.mark.parametrize("path", PATHS)
def test_one_step_on_two_processes_equals_one_on_the_joint_batch(photos, path):
    two = run_team(gradients_of_one_step, photos, path)
    one = gradients_of_one_step(ALONE, photos, path)
    assert (one["clicks"][:, :, 2] == 2).any(), "the step must have corrections"
    clicks = torch.cat([each.pop("clicks") for each in two])
    assert torch.equal(clicks, one.pop("clicks"))
    assert one["gradient feature_extractor.conv1.weight"].abs().max() > 1e-3
    for each in two:
        assert each.keys() == one.keys()
        for name, expected in one.items():
            torch.testing.assert_close(each[name], expected, rtol=1e-8, atol=1e-10, msg=name)


RUN = """
import sys
from pathlib import Path
from tests.train.test_team import run_in_this_process
if __name__ == "__main__":
    run_in_this_process(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
"""


def run_in_this_process(photos: Path, output: Path, path: str) -> None:
    """Train, and write the losses that were reported beside the run."""
    HRNETS["hrnet18s"] = TINY  # the fixture does not reach other processes
    torch.set_num_threads(1)
    losses: list[float] = []
    train(
        PATHS[path],
        data=photos,
        output=output,
        workers=0,
        tensorboard=False,
        device="cpu",
        progress=lambda _, _steps, shown: losses.append(shown.loss),
    )
    name = f"{output.name}-{os.environ.get('RANK', '0')}.json"
    output.with_name(name).write_text(json.dumps(losses))


@pytest.mark.usefixtures("tiny_networks")
@pytest.mark.parametrize("path", PATHS)
def test_torchrun_repeats_the_run_of_a_single_process(photos, tmp_path, path):
    """Also: only the leading process reports."""
    script = tmp_path / "run.py"
    script.write_text(RUN)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launcher += ["--standalone", str(script), str(photos), str(tmp_path / "two"), path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        launcher, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    run_in_this_process(photos, tmp_path / "one", path)

    two, silent, one = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("two-0", "two-1", "one-0")
    )
    assert silent == []
    assert two == pytest.approx(one, rel=1e-3)
    # On the device path values are read for a row of the log and at the end alone.
    assert len(set(one)) == len(one) == (CONFIG.schedule.steps if path == "cpu" else 1)
    states = [
        torch.load(tmp_path / name / LAST_CHECKPOINT, weights_only=True)["state_dict"]
        for name in ("one", "two")
    ]
    for name, value in states[0].items():
        if name.endswith("running_mean"):
            torch.testing.assert_close(value, states[1][name], rtol=1e-3, atol=1e-3, msg=name)


def validation(team: DistributedContext) -> tuple[dict, list[int]]:
    seen: list[int] = []
    model = tiny_model().train()
    result = validate(
        model, [BENCHMARK], team, max_clicks=3, progress=lambda done, _: seen.append(done)
    )
    assert model.training
    return result.benchmarks, seen


def test_a_validation_is_divided_and_every_process_gets_all_of_it():
    (first, seen_first), (second, seen_second) = run_team(validation)
    assert (seen_first, seen_second) == ([1, 2, 3], [1, 2])
    alone, _ = validation(ALONE)
    assert first == second == alone
    assert first["Drawn"].keys() == {"noc@80", "noc@85", "noc@90", "failed@90"}


def leave_the_other_alone(team: DistributedContext) -> bool:
    return team.leads and team.any(False)


def test_a_process_whose_partner_is_gone_says_so():
    with pytest.raises(AssertionError, match="TrainingError: another process of the run has ended"):
        run_team(leave_the_other_alone)


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(UsageError, match="batch of 5 cannot be divided among 2 processes"):
        DistributedContext(0, 2, torch.device("cpu")).share(5)


@pytest.mark.parametrize("processes", [2, 4])
def test_the_parts_of_the_processes_are_the_joint_batches_in_order(photos, processes):
    whole = own_batches(ALONE, photos, 2)
    parts = [
        own_batches(DistributedContext(r, processes, ALONE.device), photos, 2)
        for r in range(processes)
    ]
    for index, joint in enumerate(whole):
        joined = torch.cat([part[index]["image"] for part in parts])
        assert torch.equal(joined, joint["image"])
