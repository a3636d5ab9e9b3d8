"""Checkpoints: read safely and strictly, written in the published form.

A `.pth` file is a dict with `config` (class name and constructor arguments) and `state_dict`.
A `.safetensors` file holds the tensors, with the same `config` as JSON in its metadata; half
precision is widened to float32 on load. Both carry a hash of their whole content; files without one
(published or older ones) are accepted as they are.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, first_line
from ..files import (
    atomic_output,
    existing_file,
    recorded_sha256,
    refuse_stand_in,
    sha256_of,
    write_output,
)
from ..optional import require
from ..untrusted_json import parse_json
from .content_digest import content_digest
from .published_config import parse_config, published_config
from .ritm import RitmModel, build_model
from .untrusted_pickle import load_pickle

MAX_KEYS_IN_MESSAGE = 4
DIGEST = "content_sha256"
WRAPPED = "module."


def load_checkpoint(
    path: str | Path, *, model: str | None = None, allow_changed: bool = False
) -> RitmModel:
    """Build the model a checkpoint describes and load its weights, in eval mode, on the CPU.

    No code of the file is executed (`weights_only=True`), and every key must match.

    Args:
        path: `.pth` or `.safetensors`.
        model: expected name (`build_model`); None takes whatever the checkpoint says.
        allow_changed: accept a file whose content changed since it was saved or pulled.

    Raises:
        CheckpointError: unsafe, truncated, changed after it was saved, of an unknown model, another
            model than `model`, with missing or unexpected keys or other shapes, or with weights
            that are not finite.
        InputFileError: the file does not exist.
    """
    path = existing_file(Path(path))
    content = read_checkpoint(path, allow_changed=allow_changed)
    config = parse_config(content["config"], path)
    if model is not None and config.name != model:
        raise CheckpointError(
            f"{path} holds {config.name}, not {model}: pass --model {config.name} or another file."
        )
    network = build_model(**config.as_dict())  # type: ignore[arg-type]
    load_state_strictly(network, content["state_dict"], path)
    return network.eval()


def read_checkpoint(path: Path, *, allow_changed: bool = False) -> dict[str, Any]:
    """Content of a checkpoint file: at least `config` and `state_dict` (float32 tensors)."""
    content = read_content(path, allow_changed=allow_changed)
    if not is_checkpoint(content):
        raise CheckpointError(
            f"{path} is not a checkpoint with 'config' and 'state_dict': pass one saved by "
            "ritm-edge train or published by the RITM authors."
        )
    state = content["state_dict"]
    if not isinstance(state, Mapping) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise CheckpointError(f"{path}: 'state_dict' does not map names to tensors: save it again.")
    # What wraps a model while several processes train it leaves this before every name.
    prefix = WRAPPED if all(name.startswith(WRAPPED) for name in state) else ""
    widened = {
        k.removeprefix(prefix): v.float() if v.is_floating_point() else v for k, v in state.items()
    }
    return {**content, "state_dict": widened}


def is_checkpoint(content: Any) -> bool:
    """Whether the content of a file is that of one of our models."""
    return isinstance(content, Mapping) and {"config", "state_dict"} <= content.keys()


def read_content(path: Path, *, allow_changed: bool = False) -> Any:
    """Whatever a `.pth` or `.safetensors` file holds; no code of it is executed. Raises
    CheckpointError: unsafe, truncated, changed after it was saved or another kind of file;
    InputFileError: the file does not exist."""
    path = existing_file(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: pass a .pth or .safetensors file.")
    refuse_stand_in(path, CheckpointError)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else load_pickle(path)
    if not allow_changed and _is_changed(content, path):
        raise CheckpointError(
            f"{path} was changed after it was saved: train, copy or pull it again, or pass "
            "--allow-changed if that was on purpose."
        )
    return content


def _is_changed(content: Any, path: Path) -> bool:
    if isinstance(content, Mapping) and DIGEST in content:
        held = {key: value for key, value in content.items() if key != DIGEST}
        try:
            return bool(content_digest(held) != content[DIGEST])
        except (RuntimeError, TypeError, ValueError):  # nothing that we ever saved
            return True
    recorded = recorded_sha256(path)
    return recorded is not None and recorded != sha256_of(path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    safetensors = require("safetensors", extra="torch")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = parse_json(metadata.get("config", "null"))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({first_line(error)}): download it again."
        ) from error
    if config is None:  # another program's file
        return {"state_dict": state}
    recorded = {}
    if isinstance(config, dict) and DIGEST in config:
        recorded = {DIGEST: config.pop(DIGEST)}
    return {"config": config, "state_dict": state, **recorded}


def load_state_strictly(model: RitmModel, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy `state` into `model`; every key and shape must match. Raises CheckpointError: names
    the first missing, unexpected and misshapen keys and their counts, or a tensor that is not
    finite."""
    expected = model.state_dict()
    problems = [
        _listing("missing", sorted(expected.keys() - state.keys())),
        _listing("unexpected", sorted(state.keys() - expected.keys())),
        _listing(
            "of another shape",
            [
                f"{k} {list(state[k].shape)} instead of {list(v.shape)}"
                for k, v in expected.items()
                if k in state and state[k].shape != v.shape
            ],
        ),
        _listing(
            "of another type",
            [
                f"{k} {state[k].dtype} instead of {v.dtype}"
                for k, v in expected.items()
                if k in state and state[k].is_floating_point() != v.is_floating_point()
            ],
        ),
    ]
    if any(problems):
        raise CheckpointError(
            f"{path} does not fit {model.config.name}: "
            f"{'; '.join(filter(None, problems))}; use the checkpoint of that model."
        )
    refuse_non_finite(state, path)
    model.load_state_dict(state)


def refuse_non_finite(state: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointError with the name of the first tensor that holds NaN or infinity."""
    floats = {k: v for k, v in state.items() if isinstance(v, Tensor) and v.is_floating_point()}
    # One sum takes a fraction of the time that a test of each tensor takes.
    if not floats or torch.cat([v.float().reshape(-1) for v in floats.values()]).sum().isfinite():
        return
    for name, value in floats.items():
        if not value.float().isfinite().all():
            raise CheckpointError(
                f"{path} holds NaN or infinity in {name}: use an earlier checkpoint."
            )


def _listing(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = ", …" if len(keys) > MAX_KEYS_IN_MESSAGE else ""
    return f"{len(keys)} {what} ({', '.join(keys[:MAX_KEYS_IN_MESSAGE])}{more})"


def save_checkpoint(model: RitmModel, path: Path, *, training: Any = None) -> None:
    """Write `.pth` in the published form, atomically; `training` are plain values and tensors to
    keep beside the model (optimiser, step, …). Raises OutputFileError: the place cannot be written;
    what stood there is untouched."""
    state = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    content: dict[str, Any] = {"config": published_config(model.config), "state_dict": state}
    if training is not None:
        content["training"] = training
    content[DIGEST] = content_digest(content)
    with atomic_output(path) as temporary:
        # In memory first: torch's own file writer reports a full disk as a bare RuntimeError.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        temporary.write_bytes(buffer.getbuffer())


def save_safetensors(model: RitmModel, path: Path) -> None:
    """Write `.safetensors`, in half precision, atomically. A tensor with values beyond those of
    half precision (65,504) stays as it is. Raises OutputFileError: the place cannot be written;
    what stood there is untouched."""
    require("safetensors", extra="torch")
    from safetensors.torch import save

    state = {
        key: _halved(value.detach()).cpu().contiguous() for key, value in model.state_dict().items()
    }
    config = published_config(model.config)
    digest = content_digest({"config": config, "state_dict": state})
    # One text: safetensors writes several in any order, and equal weights shall be equal files.
    metadata = {"config": json.dumps({**config, DIGEST: digest})}
    write_output(path, save(state, metadata=metadata))


def _halved(value: Tensor) -> Tensor:
    half = value.half() if value.is_floating_point() else value
    return half if half.isfinite().all() else value
