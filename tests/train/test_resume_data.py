"""A run continues with the data it was trained on, from a checkpoint that nobody changed."""

import shutil
from pathlib import Path

import pytest
import torch

from ritm_edge.errors import CheckpointError, OutputFileError, TrainingError
from ritm_edge.model.checkpoint import DIGEST, save_checkpoint, save_safetensors
from ritm_edge.model.ritm import build_model
from ritm_edge.train.datasets import find_entries
from ritm_edge.train.datasets.coco import InstancesEntry
from ritm_edge.train.datasets.openimages import OpenImagesEntry
from ritm_edge.train.fingerprint import difference, fingerprint
from ritm_edge.train.loop import train
from ritm_edge.train.run_log import LOG
from ritm_edge.train.state import BEST_CHECKPOINT, LAST_CHECKPOINT, WEIGHTS

from .photos import small_config, write_photos

pytestmark = pytest.mark.usefixtures("tiny_networks")


def run(photos: Path, output: Path, *, steps: int = 2, **options) -> Path:
    config = small_config(steps=4, ema_decay=0.9)
    asked = iter(range(1, 100))
    options = {"workers": 0, "tensorboard": False, "device": "cpu", **options}
    return train(config, data=photos, output=output, stop=lambda: next(asked) == steps, **options)


def step_of(last: Path) -> int:
    return torch.load(last, weights_only=True)["training"]["step"]


def test_a_moved_folder_is_the_same_data(photos, tmp_path, monkeypatch):
    last = run(photos, tmp_path / "run")
    moved = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(photos, moved)
    shutil.rmtree(photos)
    monkeypatch.chdir(moved)
    told = []
    run(Path("."), tmp_path / "run", resume=True, notice=told.append)
    assert step_of(last) == 4
    assert not told


def add(root: Path) -> None:
    shutil.copy(root / "shapes/images/0.png", root / "shapes/images/00.png")
    shutil.copy(root / "shapes/masks/0.png", root / "shapes/masks/00.png")


def remove(root: Path) -> None:
    (root / "shapes/masks/2.png").unlink()
    (root / "shapes/images/2.png").unlink()


def rename(root: Path) -> None:
    for kind in ("images", "masks"):
        (root / "shapes" / kind / "3.png").rename(root / "shapes" / kind / "9.png")


def change(kind: str):
    def append(root: Path) -> None:
        with (root / "shapes" / kind / "1.png").open("ab") as file:
            file.write(b"\0")

    return append


def rename_set(root: Path) -> None:
    (root / "shapes").rename(root / "forms")


def add_set(root: Path) -> None:
    write_photos(root, 1, set_name="more")


CHANGES = {
    "added": (add, r"4 photos then, 5 now; .* shapes/masks: 1\.png .*, now shapes/masks: 00\.png"),
    "removed": (remove, r"4 photos then, 3 now; .* shapes/masks: 2\.png .*, now shapes/masks: 3"),
    "renamed": (rename, r"4 photos then, 4 now; .* shapes/masks: 3\.png .*, now shapes/masks: 9"),
    "photo changed": (change("images"), r"is shapes/masks: 1\.png .*, now shapes/masks: 1\.png"),
    "mask changed": (change("masks"), r"is shapes/masks: 1\.png .*, now shapes/masks: 1\.png"),
    "set renamed": (rename_set, r"is shapes/masks: 0\.png .*, now forms/masks: 0\.png"),
    "set added": (add_set, r"4 photos then, 5 now; .* is shapes/masks: 0\.png .*, now more/masks"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_other_data_is_refused_named_and_taken_on_demand(photos, tmp_path, what):
    change_data, message = CHANGES[what]
    last = run(photos, tmp_path / "run")
    before = last.read_bytes()
    change_data(photos)
    with pytest.raises(TrainingError, match=f"other data .*{message}.*--allow-other-data") as error:
        run(photos, tmp_path / "run", resume=True)
    assert "\n" not in str(error.value)
    assert last.read_bytes() == before
    told = []
    run(
        photos,
        tmp_path / "run",
        steps=1,
        resume=True,
        allow_other_data=True,
        notice=told.append,
    )
    assert step_of(last) == 3
    assert "continuing with other data" in told[0]
    run(photos, tmp_path / "run", resume=True)  # the new data is now that of the run
    assert step_of(last) == 4


def test_a_checkpoint_of_an_earlier_version_goes_on_with_a_notice(photos, tmp_path):
    last = run(photos, tmp_path / "run")
    saved = torch.load(last, weights_only=True)
    del saved["training"]["data"], saved[DIGEST]
    torch.save(saved, last)
    told = []
    run(photos, tmp_path / "run", resume=True, notice=told.append)
    assert "nothing to compare with" in told[0]
    assert step_of(last) == 4


def test_what_entries_hold_themselves_counts_too(photos):
    image = str(photos / "shapes/images/0.png")
    masks = tuple(str(photos / f"shapes/masks/{i}.png") for i in range(2))

    def differs(one, other) -> str:
        return difference(fingerprint([one]), fingerprint([other]))

    assert not differs(InstancesEntry("a", image, b"[]"), InstancesEntry("a", image, b"[]"))
    assert differs(InstancesEntry("a", image, b"[]"), InstancesEntry("a", image, b"[1]"))
    assert differs(OpenImagesEntry("a", image, masks), OpenImagesEntry("a", image, masks[:1]))
    assert differs(OpenImagesEntry("a", image, masks), OpenImagesEntry("b", image, masks))
    entries = find_entries(("folder",), photos)
    assert difference(fingerprint(entries), fingerprint(entries[::-1]))  # the order decides draws


@pytest.mark.parametrize("odd", [None, "text", 3, torch.zeros(3), torch.full((9,), 200.0)])
def test_a_fingerprint_that_nobody_can_read_is_another(photos, odd):
    assert "0 photos then, 4 now" in difference(odd, fingerprint(find_entries(("folder",), photos)))


@pytest.mark.parametrize("part", ["state_dict", "optimiser", "average"])
def test_a_flipped_bit_in_the_last_checkpoint_is_found(photos, tmp_path, part):
    last = run(photos, tmp_path / "run")
    saved = torch.load(last, weights_only=True)
    held = {
        "state_dict": saved["state_dict"]["feature_extractor.cls_head.weight"],
        "optimiser": next(iter(saved["training"]["optimiser"]["state"].values()))["exp_avg"],
        "average": saved["training"]["average"]["module.feature_extractor.cls_head.weight"],
    }[part]
    content = bytearray(last.read_bytes())
    content[content.index(held.contiguous().numpy().tobytes())] ^= 1
    last.write_bytes(content)
    with pytest.raises(CheckpointError, match="changed after it was saved"):
        run(photos, tmp_path / "run", resume=True)
    assert last.read_bytes() == bytes(content)
    run(photos, tmp_path / "run", resume=True, allow_changed=True)
    assert step_of(last) == 4


@pytest.mark.parametrize("part", ["state_dict", "average"])
def test_weights_that_are_not_finite_are_not_resumed(photos, tmp_path, part):
    last = run(photos, tmp_path / "run")
    saved = torch.load(last, weights_only=True)
    state = saved["state_dict"] if part == "state_dict" else saved["training"]["average"]
    name = next(key for key in state if key.endswith("cls_head.weight"))
    state[name].view(-1)[0] = torch.nan
    torch.save(saved, last)
    with pytest.raises(CheckpointError, match=f"NaN or infinity in {name}"):
        run(photos, tmp_path / "run", resume=True, allow_changed=True)


def test_a_start_is_checked_too(photos, tmp_path):
    start, path = build_model("hrnet18s"), tmp_path / "start.pth"
    save_checkpoint(start, path)
    saved = torch.load(path, weights_only=True)
    name = "feature_extractor.conv1.weight"
    saved["state_dict"][name].view(-1)[0] += 1
    torch.save(saved, path)
    with pytest.raises(CheckpointError, match="changed after it was saved"):
        run(photos, tmp_path / "run", init=path)
    run(photos, tmp_path / "run", init=path, allow_changed=True)
    saved["state_dict"][name].view(-1)[0] = torch.inf
    torch.save(saved, path)
    with pytest.raises(CheckpointError, match=f"NaN or infinity in {name}"):
        run(photos, tmp_path / "other", init=path, allow_changed=True)
    backbone = {k.removeprefix("feature_extractor."): v for k, v in saved["state_dict"].items()}
    torch.save({k: v for k, v in backbone.items() if "head" not in k and "ocr" not in k}, path)
    with pytest.raises(CheckpointError, match=r"NaN or infinity in conv1\.weight"):
        run(photos, tmp_path / "other", init=path)


@pytest.mark.parametrize("name", [BEST_CHECKPOINT, WEIGHTS])
@pytest.mark.parametrize("resume", [False, True])
def test_a_new_run_replaces_no_weights(photos, tmp_path, name, resume):
    output = tmp_path / "run"
    path = output / name
    output.mkdir()
    torch.save({"state_dict": {}, "config": {}}, path)
    with pytest.raises((TrainingError, CheckpointError)):
        run(photos, output, resume=resume)
    assert [p.name for p in output.iterdir()] == [name]
    path.unlink()
    save = save_safetensors if name == WEIGHTS else save_checkpoint
    save(build_model("hrnet18s"), path)
    if not resume:
        with pytest.raises(TrainingError, match="move it away or choose another --output"):
            run(photos, output)
    else:  # a run that was killed between its best weights and its first checkpoint
        run(photos, output, resume=True)
        assert (output / LAST_CHECKPOINT).exists()


def test_a_log_of_another_program_stops_a_run_before_it_begins(photos, tmp_path):
    log = tmp_path / "run" / LOG
    log.parent.mkdir()
    log.write_text('{"epoch": 1}\n')
    with pytest.raises(OutputFileError, match="did not write"):
        run(photos, tmp_path / "run", progress=pytest.fail)
    assert log.read_text() == '{"epoch": 1}\n'
