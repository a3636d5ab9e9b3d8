"""Options of all commands: each acts or is refused, and no output overwrites an input."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.main import get_command
from typer.testing import CliRunner

from ritm_edge import build_model, save_checkpoint
from ritm_edge.cli.main import app
from ritm_edge.cli.options import OUTPUTS
from ritm_edge.errors import CheckpointError, OutputFileError, UsageError
from ritm_edge.samples import sample_photo
from ritm_edge.weights import default_checkpoint

from ..paths import ROOT

NOC = ROOT / "docs" / "results" / "training" / "phase10_noc.json"
LOG = ROOT / "docs" / "results" / "training" / "phase4.jsonl"


def commands(group=None, name: str = "") -> Iterator[tuple[str, object]]:
    for key, each in (group or get_command(app)).commands.items():
        full = f"{name} {key}".strip()
        yield from commands(each, full) if hasattr(each, "commands") else [(full, each)]


COMMANDS = dict(commands())


def invoke(*arguments: object) -> BaseException | None:
    return CliRunner().invoke(app, [str(each) for each in arguments]).exception


# (command line, the option that is refused); {weights}, {grabcut} … are filled in.
IDLE = [
    ("export -t onnx --keep-float a", "--keep-float"),
    ("export -t onnx -p fp16 --keep-float a", "--keep-float"),
    ("export -t onnx --data GrabCut={grabcut}", "--data"),
    ("export -t onnx --accept-loss", "--accept-loss"),
    ("export -t onnx --calibration {grabcut}", "--calibration"),
    ("export -t onnx --sensitivity", "--sensitivity"),
    ("export --sensitivity", "bench sensitivity"),
    ("curve a.jsonl -o b.png", "bench curve"),
    ("export -t onnx --dynamic --size 64x64", "--size"),
    ("export -t onnx --no-session --fit stretch", "--fit"),
    ("export -t coreml --fit stretch", "--fit"),
    ("export -t onnx --android {run}", "--android"),
    ("export -t tflite --no-session --android {run}", "--android"),
    ("demo --build {run} --port 8000", "--port"),
    ("demo --build {run} --no-browser", "--browser"),
    ("bench latency --no-pytorch --checkpoint {weights}", "--checkpoint"),
    ("bench noc --data GrabCut={grabcut} --all-clicks --target-iou 0.85", "--target-iou"),
    ("bench noc --data GrabCut={grabcut} --all-clicks --min-clicks 3", "--min-clicks"),
    ("bench noc --data GrabCut={grabcut} --max-clicks 3 --min-clicks 4", "--min-clicks"),
    ("bench noc --data GrabCut={grabcut} --max-clicks 3 --click-limit 4", "--click-limit"),
    ("bench noc --data GrabCut={grabcut} --no-zoom-in --target-size 300", "--target-size"),
    ("bench noc --data GrabCut={grabcut} --no-zoom-in --expansion 2", "--expansion"),
    ("bench noc --data GrabCut={grabcut} --no-zoom-in --min-crop 2", "--min-crop"),
    ("bench noc --data GrabCut={grabcut} --no-zoom-in --skip-clicks 2", "--skip-clicks"),
    ("bench noc --data GrabCut={grabcut} --fresh", "--fresh"),
    ("bench noc --data GrabCut={grabcut} --samples 2", "--samples"),
    ("bench noc --data GrabCut={grabcut} --method grabcut --no-flip", "--flip"),
    ("bench noc --data GrabCut={grabcut} --method rgb-brs --protocol app", "--protocol"),
    ("bench noc --data GrabCut={grabcut} --method rgb-brs --start-iou 0.7", "--start-iou"),
    ("bench noc --data GrabCut={grabcut} --session-graphs --protocol app", "--protocol"),
    ("bench noc --data GrabCut={grabcut} --fit stretch", "--fit"),
    ("bench noc --data GrabCut={grabcut} --on adb --jobs 2", "--jobs"),
    ("bench noc --data GrabCut={grabcut} --on adb --session-graphs", "--session-graphs"),
    ("bench noc --data GrabCut={grabcut} --listen 127.0.0.1", "--listen"),
    ("bench noc --data GrabCut={grabcut} --on nowhere", "--on"),
    ("bench latency --on nowhere", "--on"),
    ("bench latency --on adb --listen 127.0.0.1", "--listen"),
    ("verify {weights} --listen 127.0.0.1", "--listen"),
    ("verify {weights} --on nowhere", "--on"),
    ("predict {photo} --click 1,1 --listen 127.0.0.1", "--listen"),
    ("predict {photo} --click 1,1 --on adb --session-graphs", "--session-graphs"),
    ("predict {photo} --click 1,1 --on nowhere", "--on"),
    ("bench noc --data GrabCut={grabcut} --json --markdown", "--markdown"),
    ("bench paper --row a=b", "--row"),
    ("bench paper {noc} --no-gallery --model {weights}", "--model"),
    ("bench paper {noc} --no-gallery --data GrabCut={grabcut}", "--data"),
    ("bench paper {noc} --no-gallery --objects 2", "--objects"),
    ("bench paper {noc} --no-gallery --clicks 2", "--clicks"),
    ("bench paper {noc} --no-gallery --threads 2", "--threads"),
    ("bench paper {noc} --objects 2", "--objects"),
    ("bench train --data {grabcut} --set schedule.kind=multistep", "schedule.kind"),
    ("bench train --data {grabcut} --plain-depthwise", "--plain-depthwise"),
    ("bench train --data {grabcut} --set run.val_every=2", "run.val_every"),
    ("bench train --data {grabcut} --set loss.kind=bce --set loss.gamma=1", "loss.gamma"),
    ("report {noc} --threads 2", "--threads"),
    ("report {noc} --model {weights}", "--model"),
    ("report {others} --data GrabCut={grabcut}", "--data"),
    ("train --data {grabcut} -o {run} --json", "--json"),
    ("train --data {grabcut} -o {run} --allow-other-data", "--allow-other-data"),
    ("train --data {grabcut} -o {run} --allow-changed", "--allow-changed"),
    ("train --data {grabcut} -o {run} --steps 3 --set schedule.steps=4", "schedule.steps"),
    ("train --data {grabcut} -o {run} --lr 0.1 --set optimizer.lr=0.1", "optimizer.lr"),
    ("train --data {grabcut} -o {run} --set run.val_every=3", "run.val_every"),
    ("train --data {grabcut} -o {run} --set run.val_every_steps=3", "run.val_every_steps"),
    ("train --data {grabcut} -o {run} --set run.val_samples=3", "run.val_samples"),
    (
        "train --data {grabcut} -o {run} --val GrabCut={grabcut} --set run.val_every=0",
        "--val",
    ),
    ("train --data {grabcut} -o {run} --no-tensorboard --set run.image_every=3", "run.image_every"),
    ("verify {photo} --max-loss 0.1", "--max-loss"),
    ("verify {photo} --emulate fp16 --photo {photo}", "--photo"),
    ("verify {photo} --emulate fp16 --data GrabCut={grabcut}", "--data"),
    ("verify {photo} --emulate fp16 --seed 3", "--seed"),
    ("verify {photo} --emulate fp16 --delegates", "--delegates"),
    ("verify {photo} --delegates --checkpoint {weights}", "--checkpoint"),
    ("verify {photo} --delegates --objects {grabcut}", "--objects"),
    ("verify {photo} --delegates --threads 2", "--threads"),
    ("predict {photo} --click 1,1 --mask-label 3", "--mask-label"),
    ("predict {photo} --click 1,1 --at 1,1", "--at"),
    ("predict {photo} --click 1,1 --clicks {noc}", "--clicks"),
    ("predict {photo} --click 1,1 --artifact a.onnx --checkpoint b.pth", "--artifact"),
]


# Options that act whatever the others are (or are refused by tests of their own: those of verify
# and predict, settings of train, sizes that an artifact does not have).
ACTING = {
    "train": "--data-root --output --set --as-implemented --dry-run --steps --crop --batch-size "
    "--lr --seed --model --init --resume --threads --workers --save-every --tensorboard --list",
    "curve": "",
    "bench curve": "--output --noc",
    "bench sensitivity": "--checkpoint --allow-changed --size --max-clicks --calibration --json",
    "export": "--target --checkpoint --allow-changed --model --max-clicks --dynamic --precision "
    "--rewrites --session --output --json",
    "demo": "--artifact --build",
    "golden": "--allow-changed --output",
    "verify": "--allow-changed --checkpoint --photo --data --objects --seed --threads --json "
    "--emulate",
    "predict": "--allow-changed --click --at --mask --checkpoint --output --overlay --threads "
    "--session-graphs --json",
    "report": "--allow-changed --output --title",
    "bench latency": "--allow-changed --no-pytorch --threads --runs --warmup --cold-starts --size "
    "--seed --roofline --output --json",
    "bench noc": "--allow-changed --data --max-clicks --all-clicks --threshold --flip --zoom-in "
    "--session-graphs --start-iou --method --user --limit --shard --jobs --threads --output "
    "--journal --json",
    "bench merge": "--output",
    "bench frontier": "--plot --output --json",
    "bench compare": "--tolerance --output --json",
    "bench train": "--data-root --set --rounds --steps --threads --workers --output --json",
    "bench fit": "--allow-changed --data --limit --flip --threads --output --json",
    "bench flops": "--allow-changed --size --kinds --output --json",
    "bench paper": "--allow-changed --gallery --output --json",
    "bench rewrites": "--target --checkpoint --allow-changed --size --max-clicks --threads --runs "
    "--output --json",
    "data check": "--as --json",
    "data combine-coco-lvis": "--data-root --output --rule --split --workers --json",
    "weights list": "--json",
    "weights pull": "--output --sha256 --allow-http --json",
    "weights convert": "--allow-changed",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_known_to_act_or_to_be_refused_somewhere(name):
    options = {o.opts[0] for o in COMMANDS[name].params if o.opts[0].startswith("-")}
    refused = {option for line, option in IDLE if line.startswith(f"{name} ")}
    assert options <= refused | set(ACTING[name].split())


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    grabcut = tmp_path / "GrabCut"
    for folder, name in (("data_GT", "0.png"), ("boundary_GT", "0.bmp")):
        (grabcut / folder).mkdir(parents=True)
        picture = np.zeros((60, 90), np.uint8)
        picture[20:40, 30:60] = 255
        assert cv2.imwrite(str(grabcut / folder / name), picture)
    noc, others = tmp_path / "noc.json", tmp_path / "others.json"
    document = json.loads(NOC.read_text())
    document["reports"] = [each for each in document["reports"] if each["benchmark"] == "GrabCut"]
    noc.write_text(json.dumps(document, indent=1))
    others.write_text(noc.read_text().replace('"GrabCut"', '"Berkeley"'))
    return {
        "weights": default_checkpoint(),
        "photo": sample_photo(),
        "grabcut": grabcut,
        "noc": noc,
        "others": others,
        "run": tmp_path / "run",
    }


@pytest.mark.parametrize(("line", "option"), IDLE)
def test_an_option_that_would_do_nothing_is_refused(places, monkeypatch, tmp_path, line, option):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    error = invoke(*(part.format(**places) for part in line.split()))
    assert isinstance(error, UsageError), error
    assert option in str(error)
    assert "\n" not in str(error)
    assert sorted(tmp_path.rglob("*")) == before, "it is refused before anything is written"


# Per command that writes files: a command line with an {input} that is a file, and which options
# name an output. What is not refused as an input must not be written either.
WRITING = {
    "predict": "{photo} --click 1,1 --mask {input}",
    "train": "--data {grabcut} --init {input}",
    "bench curve": "{input}",
    "export": "-t onnx --checkpoint {input}",
    "report": "{input}",
    "bench latency": "{input}",
    "bench noc": "{input} --data GrabCut={grabcut}",
    "bench merge": "{input}",
    "bench frontier": "{input}",
    "bench compare": "{input} {input}",
    "bench fit": "{input} --data GrabCut={grabcut}",
    "bench flops": "{input}",
    "bench paper": "{input}",
    "bench rewrites": "--checkpoint {input}",
    "bench train": None,  # takes no file
    "data combine-coco-lvis": None,
    "golden": None,  # its folder must not exist
    "weights convert": None,  # its file must not exist
    "weights pull": None,  # and replaces nothing, see test_download
}


def outputs() -> list[tuple[str, str]]:
    return [
        (name, parameter.opts[0])
        for name, command in COMMANDS.items()
        for parameter in command.params
        if parameter.name in OUTPUTS
    ]


def test_every_command_that_writes_is_known():
    assert {name for name, _ in outputs()} == set(WRITING)


@pytest.mark.parametrize(
    ("name", "option"), [pair for pair in outputs() if WRITING[pair[0]] is not None]
)
@pytest.mark.parametrize("spelling", ["same", "linked", "hard link"])
def test_no_output_overwrites_an_input(places, monkeypatch, tmp_path, name, option, spelling):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "input.png"
    shutil.copy(default_checkpoint(), source)
    content = source.read_bytes()
    target = tmp_path / "other.png"
    if spelling == "same":
        target = Path("./input.png")
    elif spelling == "linked":
        target.symlink_to(source)
    else:
        target.hardlink_to(source)
    line = WRITING[name].format(input=source, **places)
    error = invoke(*name.split(), *line.split(), option, target)
    assert isinstance(error, UsageError | OutputFileError), error
    assert "overwritten" in str(error) or "not a report of ritm-edge" in str(error)
    assert source.read_bytes() == content


FOREIGN = {
    "a.json": b'{"images": []}',
    "b.json": b'{\n "name": "package"\n}\n',
    "photo.jpg": b"\xff\xd8\xff",
    "model.onnx": b"\x08\x08ritm-edge",
    "journal.jsonl": b'{"kind":"ritm-edge noc journal","version":1}\n',
    "page.html": b"<!doctype html><p>mine</p>",
    "notes": b"mine",
}
REPORTS = [
    "bench latency",
    "bench noc",
    "bench merge",
    "bench fit",
    "bench flops",
    "bench rewrites",
    "report",
]


@pytest.mark.parametrize("name", [*REPORTS, "bench train"])
@pytest.mark.parametrize("there", FOREIGN)
def test_a_report_replaces_no_file_of_another_kind(places, tmp_path, name, there):
    path = tmp_path / there
    path.write_bytes(FOREIGN[there])
    line = (WRITING[name] or "").format(input=places["noc"], **places)
    error = invoke(*name.split(), *line.split(), "--output", path)
    assert isinstance(error, OutputFileError), error
    assert str(error) == f"{path} is not a report of ritm-edge: choose another name."
    assert path.read_bytes() == FOREIGN[there]


def test_a_report_replaces_an_older_one(places, tmp_path):
    path = tmp_path / "page.html"
    for title in ("First", "Second"):
        assert invoke("report", places["noc"], "-o", path, "--title", title) is None
        assert f"<title>{title}" in path.read_text()


def test_outputs_of_one_command_are_different_files(places, tmp_path):
    both = ("bench", "noc", "--data", f"GrabCut={places['grabcut']}", "-o", tmp_path / "a.jsonl")
    for more in ((), ("--journal", tmp_path / "a.jsonl")):
        error = invoke(*both, *more)
        assert isinstance(error, UsageError)
        assert "two outputs" in str(error)
    assert not (tmp_path / "a.jsonl").exists()


@pytest.mark.parametrize(
    "line",
    [
        "export -t onnx --checkpoint {changed} -o {run}",
        "bench rewrites --checkpoint {changed}",
        "bench noc {changed} --data GrabCut={grabcut}",
        "bench fit {changed} --data GrabCut={grabcut}",
        "bench latency --checkpoint {changed}",
        "predict {photo} --click 1,1 --checkpoint {changed} -o {run}/m.png",
        "train --data {grabcut} -o {run} --init {changed} --dry-run",
        "report {noc} --data GrabCut={grabcut} --model {changed}",
        "bench paper --model {changed} -o {run}",
    ],
)
def test_a_changed_checkpoint_is_refused_by_every_command(places, tmp_path, line):
    path = tmp_path / "changed.pth"
    save_checkpoint(build_model("hrnet18s"), path)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["feature_extractor.cls_head.bias"] += 1
    torch.save(content, path)
    error = invoke(*(part.format(changed=path, **places) for part in line.split()))
    assert isinstance(error, CheckpointError), error
    assert "changed after it was saved" in str(error)
    assert not places["run"].exists()


@pytest.mark.parametrize("there", ["tables.md", "clicks.png", "mean-iou.svg"])
def test_bench_paper_replaces_nothing_in_a_folder_of_others(places, tmp_path, there):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / there).write_text("mine")
    error = invoke("bench", "paper", places["noc"], "--no-gallery", "-o", folder)
    assert isinstance(error, OutputFileError), error
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]


def test_curve_replaces_no_folder(tmp_path):
    (tmp_path / "a.png" / "precious").mkdir(parents=True)
    assert isinstance(invoke("bench", "curve", LOG, "-o", tmp_path / "a.png"), OutputFileError)
    assert (tmp_path / "a.png" / "precious").is_dir()
