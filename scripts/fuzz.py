"""Damaged and hostile files of every kind, given to the commands that read them.

    python scripts/fuzz.py [--cases 5000] [--seed N] [--kind NAME]... [--artifacts DIR] [-o FILE]

Every case runs in a process of its own, with 8 GB of memory and 60 seconds. A command has to refuse
a file in one line and with an exit code of its own, or take it; it must not take what is certainly
wrong, and what it refuses must leave nothing behind. Counts go to a JSON file; the exit code is 3
where anything else happened. DIR holds exported files, whose formats are tried as well.
"""

import argparse
import json
import os
import random
import resource
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import torch
from hostile_files import Mutation, damage, described, json_of, pickled, replaced

from ritm_edge.cli.main import main as command
from ritm_edge.files import write_output
from ritm_edge.samples import sample_label_map, sample_photo
from ritm_edge.weights import SHIPPED_ARTIFACT, default_checkpoint

MEMORY, SECONDS = 8 << 30, 60
# What is imported before a process forks is not imported again in every case.
PRELOADED = """
jinja2 matplotlib.backends.backend_agg matplotlib.figure safetensors.torch torch._dynamo
ritm_edge.benchmarks.frontier ritm_edge.benchmarks.noc.runs ritm_edge.benchmarks.report.page
ritm_edge.evaluation.loop ritm_edge.model.checkpoint ritm_edge.runtimes.tflite
ritm_edge.runtimes.onnx ritm_edge.train.curve ritm_edge.train.loop
"""
RESULTS = Path(__file__).parent.parent / "docs" / "results"
MEASURED = ("browser-noc", "latency", "flops", "browser-verify")
TRAINING = (
    "--data data --crop 32x32 --batch-size 2 --steps 1 --workers 0 --threads 1 --no-tensorboard "
    "--set run.precision=fp32 --set data.min_object_pixels=0 --output run"
)
PREDICT = "predict photo.png --click 20,20 --threads 1 -o mask.png"


@dataclass(frozen=True)
class Kind:
    """A file of the seed folder and the command lines that read it. `mutate` may add a way of its
    own to make a hostile one from its bytes; with it comes whether it has to be refused."""

    file: str
    lines: tuple[str, ...]
    mutate: Mutation | None = None
    checked: bool = False  # by a checksum: what is changed anywhere is refused, or has no effect


def make_seeds(folder: Path, artifacts: list[Path]) -> list[Kind]:
    """Write a good file of every kind; the commands run in copies of this folder."""
    photo = cv2.resize(cv2.imread(str(sample_photo())), (96, 72))
    labels = cv2.imread(str(sample_label_map()), cv2.IMREAD_UNCHANGED)
    labels = cv2.resize(labels, (96, 72), interpolation=cv2.INTER_NEAREST)
    for name, pixels in (("photo.png", photo), ("photo.jpg", photo), ("photo.tif", photo),
                         ("photo.webp", photo), ("labels.png", labels)):  # fmt: skip
        cv2.imwrite(str(folder / name), pixels)
    for part, pixels in (("images", photo), ("masks", labels)):
        (folder / "data" / "set" / part).mkdir(parents=True)
        for index in range(2):
            cv2.imwrite(str(folder / "data" / "set" / part / f"{index}.png"), pixels)
    for name in MEASURED:
        shutil.copy(RESULTS / f"{name}.json", folder)
    shutil.copy(RESULTS / "training" / "phase1.jsonl", folder / "log.jsonl")
    shutil.copy(default_checkpoint("lite0"), folder / "lite0.safetensors")
    artifact = "lite0.tflite"
    shutil.copy(SHIPPED_ARTIFACT, folder / artifact)
    noc = f"bench noc {artifact} --data Folder=data/set --limit 2 --max-clicks 2 --threads 1"
    for line in (
        "weights convert lite0.safetensors lite0.pth",
        f"train lite0-phone {TRAINING}",
        f"{noc} -o noc.json",
    ):
        code = run_command(line, folder, folder / "said")
        if code != 0:
            sys.exit(f"{line} ends with {code}: {(folder / 'said').read_text()}")
    recipe = {
        "model": {"name": "lite0", "radius": 5},
        "optimizer": {"lr": 0.001, "betas": [0.9, 0.99]},
    }
    recipe |= {"run": {"seed": 1, "cuda_graphs": True}, "clicks": {"max_clicks": 8}}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    click = {"row": 20.5, "column": 30, "positive": True}
    write_log(folder, artifact, [click, click])
    weights = (f"{PREDICT} --checkpoint {{}}", "weights convert {} out.pth",
               f"train lite0-phone {TRAINING} --init {{}} --dry-run --output new")  # fmt: skip
    resume, new = (
        f"train lite0-phone {TRAINING} --resume",
        f"train lite0-phone {TRAINING} --output new",
    )
    on_artifact, curve = f"--artifact {artifact} -o mask.png", "bench curve {} -o c.png"
    reports = ("report {} -o page.html", "bench compare {} {} --json", "bench frontier {}",
               "bench paper {} --no-gallery -o paper", "bench merge {} -o merged.json")  # fmt: skip
    kinds = [
        Kind("lite0.pth", weights, pickled, checked=True),
        Kind("lite0.safetensors", weights, checked=True),
        Kind("run/last.pth", (resume,), pickled),
        Kind("run/log.jsonl", (resume, curve), json_of(True)),
        Kind("log.jsonl", (curve,), json_of(True)),
        Kind("recipe.json", (f"train {{}} {TRAINING} --dry-run --output new",), json_of()),
        Kind("noc.jsonl", (noc + " --journal {}",), json_of(True)),
        Kind("clicks.json", ("predict photo.png --clicks {} " + on_artifact,), json_of()),
        Kind("noc.json", (*reports, "bench curve log.jsonl --noc 10={} -o c.png"), json_of()),
        *(Kind(f"{name}.json", reports, json_of()) for name in MEASURED),
        *(Kind(f"photo.{suffix}", ("predict {} --click 20,20 " + on_artifact,))
          for suffix in ("png", "jpg", "tif", "webp")),
        Kind("labels.png", (f"{PREDICT} --artifact {artifact} --mask {{}}",)),
        Kind("data/set/masks/0.png", ("data check data/set", new)),
        Kind("data/set/images/0.png", ("data check data/set", new)),
    ]  # fmt: skip
    for path in [SHIPPED_ARTIFACT, *artifacts]:
        shutil.copy(path, folder / path.name)
        lines = (f"{PREDICT} --artifact {{}}", "bench flops {}")
        kinds.append(Kind(path.name, lines, described(str(path)), checked=True))
    return kinds


def write_log(folder: Path, artifact: str, clicks: list[dict[str, Any]]) -> None:
    """The clicks of a session, as `session.log()` gives them."""
    from ritm_edge.imaging.images import read_photo
    from ritm_edge.runtimes.base import open_runtime
    from ritm_edge.session import InteractiveSession

    session = InteractiveSession(open_runtime(folder / artifact, threads=1))
    session.set_image(read_photo(folder / "photo.png"))
    for each in clicks:
        session.click(each["row"], each["column"], positive=each["positive"])
    (folder / "clicks.json").write_text(json.dumps(session.log()))


def run_command(line: str, folder: Path, said: Path) -> int:
    """Run a command line in `folder` in a forked process; what it prints goes to `said`. Returns
    the exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.setpgrp()
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
            os.chdir(folder)
            output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", 1)
            sys.argv = ["ritm-edge", *line.split()]
            command()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0
        finally:
            os._exit(code)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGALRM


def judge(code: int, text: str, *, refused: bool, new: set[str]) -> str:
    """What is wrong with how a command ended; "" if nothing is."""
    if code == -signal.SIGALRM:
        return "hang"
    if code < 0:
        return "abort"
    if "Traceback" in text or code in (10, 99):
        return "traceback"
    if "not enough memory" in text:
        return "memory"
    if code and sum(line.startswith("error ") for line in text.splitlines()) != 1:
        return "no sentence"
    if code and new:
        return "litter"
    return "wrong acceptance" if refused and code == 0 else ""


def main() -> None:
    """Run the cases and write what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--kind", action="append", help="file names of kinds; default: all")
    parser.add_argument("--artifacts", type=Path, help="folder of exported files")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    artifacts = sorted(options.artifacts.glob("[!.]*.*")) if options.artifacts else []
    outcomes: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="ritm-edge-fuzz-") as scratch:
        seeds = Path(scratch, "seeds")
        seeds.mkdir()
        kinds = make_seeds(seeds, [path for path in artifacts if path.is_file()])
        masks = {
            kind.file: good_mask(kind, seeds, Path(scratch, "good"))
            for kind in kinds
            if kind.checked
        }
        kinds = [k for k in kinds if not options.kind or k.file in options.kind]
        for case in range(options.cases):
            rng = random.Random(f"{options.seed} {case}")
            kind = kinds[case % len(kinds)]
            line = rng.choice(kind.lines)
            here = Path(scratch, "case")
            shutil.copytree(seeds, here, symlinks=True, copy_function=os.link)
            path, good = here / kind.file, (seeds / kind.file).read_bytes()
            path.unlink()
            how = rng.choice(
                ("damage", "replace", "mutate", "mutate")
                if kind.mutate
                else ("damage", "damage", "replace")
            )
            refused = how == "replace"
            if how == "damage":
                path.write_bytes(damage(rng, good))
            elif how == "replace":
                replaced(rng, path, good)
            elif kind.mutate is not None:
                content, refused = kind.mutate(rng, good)
                path.write_bytes(content)
            before = {str(each) for each in here.rglob("*")}
            said = Path(scratch, "said")
            code = run_command(line.replace("{}", kind.file), here, said)
            text = said.read_text(errors="replace")
            new = {str(each) for each in here.rglob("*")} - before - {str(here / "new")}
            wrong = judge(code, text, refused=refused and may_refuse(kind, line), new=new)
            if (
                not wrong
                and code == 0
                and kind.checked
                and how == "damage"
                and line.startswith(PREDICT)
            ):
                mask = here / "mask.png"
                wrong = "" if mask.read_bytes() == masks[kind.file] else "wrong acceptance"
            outcomes[wrong or ("refused" if code else "taken")] += 1
            if wrong:
                found = {"what": wrong, "case": case, "file": kind.file, "how": how, "line": line,
                         "code": code, "said": text[-1500:]}  # fmt: skip
                examples.append(found)
                print(json.dumps(found), flush=True)
            shutil.rmtree(here)
    counts = dict(outcomes)
    document = {"kind": "ritm-edge fuzz", "cases": options.cases, "seed": options.seed}
    document |= {"outcomes": counts, "examples": examples}
    print(json.dumps(counts))
    if options.output is not None:
        write_output(options.output, json.dumps(document, indent=1) + "\n")
    sys.exit(3 if examples else 0)


def may_refuse(kind: Kind, line: str) -> bool:
    """Whether this command has to judge the file: logs continue what a crash left, a photo that
    cannot be used is left out of a training, and a curve shows the mean of a report only."""
    partly = ("bench curve", "train lite0-phone --data data")
    return not kind.file.endswith(".jsonl") and not line.startswith(partly)


def good_mask(kind: Kind, seeds: Path, here: Path) -> bytes:
    """What the undamaged file gives."""
    shutil.copytree(seeds, here, copy_function=os.link)
    run_command(kind.lines[0].replace("{}", kind.file), here, here / "said")
    mask = (here / "mask.png").read_bytes()
    shutil.rmtree(here)
    return mask


if __name__ == "__main__":
    cv2.setNumThreads(0)  # threads do not survive a fork
    torch.set_num_threads(1)
    for name in PRELOADED.split():
        import_module(name)
    main()
