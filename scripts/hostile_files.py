"""Ways to make a hostile file from a good one; `fuzz.py` tries them."""

import io
import json
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ritm_edge.artifacts.info import ArtifactInfo
from ritm_edge.errors import ConversionError
from ritm_edge.export.registry import find_target
from ritm_edge.model.content_digest import content_digest
from ritm_edge.runtimes.base import ModelFile

# From the bytes of a good file those of a hostile one, and whether it has to be refused.
Mutation = Callable[[random.Random, bytes], tuple[bytes, bool]]
# JSON that takes the place of a value of another type. The last of them are out of every range.
WRONG_TYPE = ["null", "true", '"2"', "{}", "[]", "[[1]]", '"\\ud800"', '"a\\u001b[31m\\nb"', "-1e5"]
OUT_OF_RANGE = ["NaN", "Infinity", "1e400", "1" * 400, "-" + "1" * 30, "-1", "0.5", "1e300"]
NESTED = ["[" * 4900 + "]" * 4900, '{"a":' * 90 + "1" + "}" * 90, '"' + '\\"' * 200_000 + '"']


def damage(rng: random.Random, data: bytes) -> bytes:
    """Bits, spans and the end changed."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 10))):
        place, length = rng.randrange(len(changed) + 1), rng.choice((1, 4, 64, 5000))
        what = rng.randrange(5)
        if what == 0:
            del changed[place:]
        elif what == 1:
            changed[place : place + length] = rng.randbytes(length)
        elif what == 2:
            changed[place : place + length] = bytes(len(changed[place : place + length]))
        elif what == 3:
            del changed[place : place + length]
        elif place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def replaced(rng: random.Random, path: Path, good: bytes) -> None:
    """Something else than a file of this kind stands at `path`."""
    what = rng.randrange(9)
    contents = (b"", b"<!doctype html>\n<p>404", b"version https://git-lfs.github.com/spec/v1\n")
    contents += (bytes(1 << 20), rng.randbytes(5000), good[: len(good) // 2])
    if what < len(contents):
        path.write_bytes(contents[what])
    elif what == 6:
        os.mkfifo(path)
    elif what == 7:
        path.symlink_to(path.name)
    else:
        path.symlink_to("/dev/zero")


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in nested dicts and lists; of a long list the first two."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    found = []
    for key, each in items:
        found.append((*at, key))
        found += places(each, (*at, key)) if isinstance(each, dict | list) else []
    return found


def json_of(lines: bool = False) -> Mutation:
    """Replaces one value of a JSON text, or of one of its lines."""

    def mutate(rng: random.Random, data: bytes) -> tuple[bytes, bool]:
        texts = data.decode().splitlines() if lines else [data.decode()]
        index = rng.randrange(min(len(texts), 3))
        document = json.loads(texts[index])
        place = rng.choice(places(document))
        inner = document
        for key in place[:-1]:
            inner = inner[key]
        old = inner[place[-1]]
        is_number = type(old) in (int, float)
        new = rng.choice(rng.choice((WRONG_TYPE, OUT_OF_RANGE, NESTED)))
        if rng.random() < 0.1:
            del inner[place[-1]]
            new = ""
        else:
            inner[place[-1]] = "@@"
        texts[index] = json.dumps(document).replace('"@@"', new)
        bad_text = new in NESTED[:2] or (new.isdecimal() or new.startswith("-11")) or "ud800" in new
        not_finite = is_number and new in ("NaN", "Infinity", "1e400")
        wrong = is_number and new in WRONG_TYPE[1:8] and place[-1] not in IGNORED
        known = not any(key in IGNORED for key in place)
        return "\n".join(texts).encode(), not lines and (
            bad_text or (known and (not_finite or wrong))
        )

    return mutate


# Entries that no reader uses, or that may be of several types.
IGNORED = set(
    "mean_iou share_of_drops format_version file_bytes target_size runs expansion roofline "
    "cores case_results tolerance".split()
)


def pickled(rng: random.Random, data: bytes) -> tuple[bytes, bool]:
    """Replaces one value of a checkpoint, whose own hash is made to fit."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    content.pop("content_sha256", None)
    place = rng.choice(
        [p for p in places(content) if rng.random() < 0.1 or len(p) < 4] or [("config",)]
    )
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    old = inner[place[-1]]
    loop: list[Any] = []
    loop.append(loop)
    hostile = [
        None,
        True,
        -1,
        1e308,
        float("nan"),
        10**5000,
        "2",
        "\ud800",
        b"x",
        [],
        {},
        loop,
        (1,),
    ]
    hostile += [torch.zeros(1).expand(1 << 30), torch.tensor(float("nan")), torch.zeros(2, 3)]
    hostile += [
        torch.zeros(3, dtype=torch.complex64),
        torch.zeros(4, dtype=torch.int8),
        torch.Size([1]),
    ]
    new = rng.choice(hostile)
    inner[place[-1]] = new
    for_digest = not any(new is each for each in (loop, hostile[13]))
    if for_digest and type(new) is not int and new != "\ud800":
        content["content_sha256"] = content_digest(content)
    file = io.BytesIO()
    torch.save(content, file)
    is_weight = place[0] == "state_dict" and isinstance(old, torch.Tensor) and old.numel() > 0
    return file.getvalue(), is_weight


def described(path: str) -> Mutation:
    """Replaces one value of an artifact's self-description, whose checksum is made to fit."""
    runtime = ModelFile(Path(path), threads=1).open()
    assert runtime.info is not None
    info: ArtifactInfo = runtime.info
    change = json_of()

    def mutate(rng: random.Random, data: bytes) -> tuple[bytes, bool]:
        text, _ = change(rng, info.to_json().encode())
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, Path(path).name)
            copy.write_bytes(data)
            try:
                find_target(info.target).stamp(copy, text.decode())
            except (ValueError, UnicodeError, ConversionError):  # a .pte has little room
                return b"", True
            return copy.read_bytes(), False

    return mutate
