"""Without optional packages, every command works or names the part to install."""

import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command

from ritm_edge.cli.main import app
from ritm_edge.samples import sample_label_map, sample_photo
from ritm_edge.weights import SHIPPED_ARTIFACT

OPTIONAL = (
    "torch safetensors onnx onnxscript onnxsim onnxruntime ai_edge_litert flatbuffers tensorflow "
    "onnx2tf coremltools openvino ncnn pnnx executorch torchao scipy pycocotools tensorboard "
    "matplotlib jinja2"
)
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({OPTIONAL!r}.split()))
"""
RUN = f"""
{WITHOUT}
from ritm_edge.cli.main import main
main()
"""
PHOTO, DATA = str(sample_photo()), "Folder=benchmark"
NEEDING = {
    "train": "--data benchmark -o run",
    "export": "--target onnx",
    "verify": "model.onnx",
    "golden": "model.onnx -o traces",
    "predict": f"{PHOTO} --click 1,1",
    "report": "results.json",
    "bench latency": "model.onnx",
    "bench noc": f"--data {DATA}",
    "bench train": "--data benchmark",
    "bench fit": f"--data {DATA}",
    "bench flops": "",
    "bench paper": "",
    "bench rewrites": "",
    "bench sensitivity": "",
    "bench curve": "run",
    "weights convert": "lite0 out.pth",
    "data combine-coco-lvis": "--data-root benchmark",
}
WORKING = {"weights list": "", "data check": "benchmark"}
ELSEWHERE = {"curve", "weights pull", "demo"}  # a former name; test_download, test_web
# These need pydantic only, which newer versions of Typer need themselves.
ELSEWHERE |= {"bench merge", "bench compare", "bench frontier"}


def run(folder, name, arguments):
    for part, source in (("images", sample_photo()), ("masks", sample_label_map())):
        (folder / "benchmark" / part).mkdir(parents=True)
        target = folder / "benchmark" / part / f"astronaut{source.suffix}"
        target.write_bytes(source.read_bytes())
    (folder / "model.onnx").write_bytes(b"")
    (folder / "results.json").write_text("{}")
    command = [sys.executable, "-c", RUN, *name.split(), *arguments.split()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_every_command_is_covered():
    names = set()
    for name, each in get_command(app).commands.items():
        names |= {f"{name} {key}" for key in each.commands} if hasattr(each, "commands") else {name}
    assert names == {*NEEDING, *WORKING, *ELSEWHERE}


@pytest.mark.parametrize("name", NEEDING)
def test_it_names_the_part_to_install(name, tmp_path):
    done = run(tmp_path, name, NEEDING[name])
    assert done.returncode == 6, done.stderr
    sentence = r"error \S+ is needed and not installed: run pip install 'ritm-edge\[[a-z-]+\]'\.\n"
    assert re.fullmatch(sentence, done.stderr), done.stderr


@pytest.mark.parametrize("name", WORKING)
def test_it_works_with_the_core_alone(name, tmp_path):
    done = run(tmp_path, name, WORKING[name])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["", "onnx2tf tensorflow"])
def test_demo_opens_the_shipped_model(missing, tmp_path):
    without = f"import sys; sys.modules.update(dict.fromkeys({missing!r}.split()))"
    script = (
        f"{without if missing else WITHOUT}\nfrom ritm_edge.cli import demo; print(demo._kept())"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == str(SHIPPED_ARTIFACT), done.stderr
    assert "so it opens in int8" in " ".join(done.stderr.split())
