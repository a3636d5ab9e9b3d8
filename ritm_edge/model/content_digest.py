"""A hash of what a checkpoint holds, whatever file and order it is stored in."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def content_digest(content: Any) -> str:
    """SHA-256, 64 hexadecimal digits, of nested mappings, lists, tensors and plain values."""
    digest = hashlib.sha256()
    _add(content, digest)
    return digest.hexdigest()


def _add(value: Any, digest: Any) -> None:
    if isinstance(value, Tensor):
        digest.update(f"{value.dtype} {list(value.shape)}\n".encode())
        bits = value.detach().cpu().contiguous()
        # NumPy has no bfloat16.
        digest.update((bits.view(torch.int16) if bits.dtype == torch.bfloat16 else bits).numpy())
    elif isinstance(value, Mapping):
        digest.update(f"{len(value)} names\n".encode())
        for key in sorted(value, key=repr):
            digest.update(f"{key!r}\n".encode())
            _add(value[key], digest)
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)} values\n".encode())
        for each in value:
            _add(each, digest)
    else:
        digest.update(f"{value!r}\n".encode())
