"""Checkpoints of somebody else: what they may hold, and what is refused before it does harm."""

import collections
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from ritm_edge import build_model, load_checkpoint, open_runtime
from ritm_edge.errors import CheckpointError, InputFileError
from ritm_edge.model.checkpoint import save_checkpoint
from ritm_edge.runtimes.base import runtime_suffixes

NAME = "feature_extractor.conv1.weight"
STAND_INS = {
    "web page": b"\xef\xbb\xbf\n <!DOCTYPE html><p>404",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.pth"
    save_checkpoint(build_model("hrnet18s"), path)
    held = torch.load(path, weights_only=True)
    del held["content_sha256"]
    return held


def changed(content, **sections):
    """A copy with some values of its state or config replaced."""
    state = {**content["state_dict"], **sections.pop("state", {})}
    params = {k: {"value": v} for k, v in sections.pop("params", {}).items()}
    config = {**content["config"], "params": {**content["config"]["params"], **params}}
    return {"config": config, "state_dict": state, **sections}


class Named(dict):
    """A class of another program, which is not there when the file is read."""


def test_harmless_files_of_other_programs_load(content, tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    held = changed(
        content,
        score=np.float64(0.5),
        epoch=np.int32(7),
        flag=np.bool_(True),
        other=Named(a=Named(b=1)),
        log=collections.defaultdict(list, a=[1]),
    )
    held["state_dict"] = {f"module.{k}": v for k, v in held["state_dict"].items()}
    torch.save(held, path)
    monkeypatch.delattr(sys.modules[__name__], "Named")
    assert load_checkpoint(path).config.name == "hrnet18s"
    from ritm_edge.model.checkpoint import read_content

    read = read_content(path)
    assert (read["score"], read["epoch"], read["flag"]) == (0.5, 7, True)
    assert (type(read["score"]), type(read["epoch"])) == (float, int)
    assert read["other"] == {"a": {"b": 1}}
    assert read["log"] == {"a": [1]}


def test_a_prefix_of_some_names_is_not_removed(content, tmp_path):
    held = changed(content)
    held["state_dict"] = {
        (f"module.{k}" if k == NAME else k): v for k, v in held["state_dict"].items()
    }
    torch.save(held, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"1 missing .* 1 unexpected"):
        load_checkpoint(tmp_path / "a.pth")


LOOP: list = []
LOOP.append(LOOP)
LAUGHS: list = [1]
for _ in range(30):
    LAUGHS = [LAUGHS] * 10
SHARED = torch.zeros(1 << 20)
HOSTILE = {
    "expanded": {"state": {NAME: torch.zeros(1).expand(1 << 31)}},
    "expanded elsewhere": {"more": torch.zeros(1).expand(1 << 31)},
    "shared": {"more": [SHARED[index:] for index in range(1000)]},
    "complex": {"state": {NAME: torch.zeros(32, 3, 3, 3, dtype=torch.complex64)}},
    "integers": {"state": {NAME: torch.zeros(64, 3, 3, 3, dtype=torch.int8)}},
    "sparse": {"more": torch.zeros(3).to_sparse()},
    "meta": {"more": torch.zeros(3, device="meta")},
    "name": {"state": {3: torch.zeros(1)}},
    "no tensor": {"state": {NAME: [1.0]}},
    "loop": {"more": LOOP},
    "laughs": {"more": LAUGHS},
    "huge number": {"more": 10**5000},
    **{
        f"{name}={value!r}"[:40]: {"params": {name: value}}
        for name in ("width", "ocr_width", "small", "norm_radius", "use_disks", "with_prev_mask")
        for value in (None, "18", -1, 1e309, float("nan"), [18], {}, torch.tensor(18), 18.0, True)
        if not (type(value) is float and value == 18 and name == "norm_radius")
        and not (value is True and name in ("small", "use_disks", "with_prev_mask"))
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_checkpoint_holds_is_refused_in_one_sentence(content, tmp_path, name):
    path = tmp_path / "a.pth"
    torch.save(changed(content, **dict(HOSTILE[name])), path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_small_file_takes_little_memory(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"config": 1, "state_dict": {"a": torch.zeros(1).expand(1 << 31)}}, path)
    code = (
        "import sys, resource; from ritm_edge import load_checkpoint\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_checkpoint(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout.split() == ["CheckpointError", "True"], done.stderr


class Call:
    def __init__(self, function, *arguments):
        self.held = function, arguments

    def __reduce__(self):
        return self.held


@pytest.mark.parametrize(
    "call", [Call(print, "x"), Call(eval, "1"), Call(open, "executed", "w"), Call(np.dtype, "O")]
)
@pytest.mark.parametrize("legacy", [False, True])
def test_no_function_is_called(tmp_path, monkeypatch, call, legacy):
    monkeypatch.chdir(tmp_path)
    torch.save(
        {"config": 1, "state_dict": call}, "a.pth", _use_new_zipfile_serialization=not legacy
    )
    with pytest.raises(CheckpointError):
        load_checkpoint("a.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("suffix", sorted(runtime_suffixes()))
@pytest.mark.parametrize("what", STAND_INS)
def test_what_stands_in_for_a_model_is_called_by_its_name(tmp_path, suffix, what):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(STAND_INS[what])
    with pytest.raises(InputFileError, match=what):
        open_runtime(path)
    if suffix in (".pth", ".safetensors"):
        with pytest.raises(CheckpointError, match=what):
            load_checkpoint(path)


@pytest.mark.parametrize("suffix", sorted(runtime_suffixes()))
@pytest.mark.parametrize("what", ["fifo", "zero", "loop", "long"])
def test_what_is_no_file_is_refused_before_it_is_read(tmp_path, suffix, what):
    import os

    path = tmp_path / f"a{suffix}"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "long":
        path = tmp_path / f"{'a' * 300}{suffix}"
    else:
        path.symlink_to("/dev/zero" if what == "zero" else path)
    with pytest.raises(InputFileError):
        open_runtime(path)


def test_damage_anywhere_raises_no_other_error(tmp_path):
    """Every opcode of the pickle may be hit."""
    good = pickle.dumps({"config": 1, "state_dict": {"a": [1, (2, "x")], "b": {}}}, protocol=2)
    path = tmp_path / "a.pth"
    rng = np.random.default_rng(1)
    for index in range(len(good) * 3):
        data = bytearray(good)
        data[index % len(good)] = int(rng.integers(256))
        path.write_bytes(bytes(data))
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
