"""Messages of the device protocol as bytes; docs/device-protocol.md describes them."""

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..untrusted_json import COUNT, TEXT, parse_json, require_kinds

MAGIC, VERSION = b"RITM", 1
MAX_HEAD = 1 << 20
MAX_FILE = 1 << 30  # the body of a request that brings a model file
MAX_ANSWER = 1 << 27  # the largest mask has 64 MiB
KEPT_IMAGES = 4  # of the last that were sent; requests may name one instead of sending it again
MAX_TENSORS, MAX_AXES = 16, 8
TYPES = {"float32": "<f4", "uint8": "u1"}
_PROLOGUE = struct.Struct("<4sIII")

Tensors = Mapping[str, NDArray[Any]]


class ProtocolError(Exception):
    """Bytes that are no message; says what is wrong with them, as the end of a sentence."""


@dataclass(frozen=True)
class Message:
    """A JSON object, and arrays by name."""

    head: dict[str, Any]
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)


def pack(head: Mapping[str, Any], tensors: Tensors | None = None) -> bytes:
    """A message of an object and of float32 or uint8 arrays."""
    described, parts = describe(tensors or {})
    text = json.dumps({**head, "tensors": described}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)  # numbers of the body lie at multiples of their size
    prologue = _PROLOGUE.pack(MAGIC, VERSION, len(text), sum(part.nbytes for part in parts))
    return b"".join((prologue, text, *parts))


def describe(tensors: Tensors) -> tuple[list[dict[str, Any]], list[memoryview]]:
    """The entries of float32 or uint8 arrays in a head, and their bytes."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    entries = [
        {"name": name, "type": array.dtype.name, "shape": list(array.shape)}
        for name, array in arrays.items()
    ]
    little = (array.astype(TYPES[array.dtype.name], copy=False) for array in arrays.values())
    return entries, [array.data for array in little]


def read(receive: Callable[[int], bytearray], *, most: int = MAX_ANSWER) -> Message:
    """The next message of a stream; its arrays can be written to.

    Args:
        receive: waits for so many bytes.
        most: bytes that the arrays may have together.

    Raises:
        ProtocolError: another version, or anything that is no message.
    """
    magic, version, head_bytes, body_bytes = _PROLOGUE.unpack(receive(_PROLOGUE.size))
    if magic != MAGIC:
        raise ProtocolError(f"begins a message with {bytes(magic)!r}")
    if version != VERSION:
        raise ProtocolError(f"speaks version {version} of the protocol instead of {VERSION}")
    if head_bytes > MAX_HEAD or body_bytes > most:
        raise ProtocolError(f"announces a message of {head_bytes} + {body_bytes} bytes")
    try:
        head = parse_json(receive(head_bytes).decode())
        require_kinds(head, {})
    except ValueError as error:
        raise ProtocolError(f"sends a head that cannot be read ({str(error)[:80]})") from error
    return Message(head, receive_arrays(head.pop("tensors", []), receive, exactly=body_bytes))


def receive_arrays(
    entries: Any, receive: Callable[[int], bytearray | memoryview], *, exactly: int | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays that the entries of a head describe, which have so many bytes together; None: up
    to `MAX_ANSWER`. Raises ProtocolError: entries that cannot be read, or of other lengths."""
    try:
        described = [_described(entry) for entry in _listed(entries)]
    except ValueError as error:
        raise ProtocolError(f"sends a head that cannot be read ({str(error)[:80]})") from error
    sizes = [math.prod(shape) * np.dtype(kind).itemsize for _, kind, shape in described]
    if sum(sizes) > MAX_ANSWER if exactly is None else sum(sizes) != exactly:
        raise ProtocolError(f"announces arrays of {sum(sizes)} bytes, which it does not send")
    body = memoryview(receive(sum(sizes)))
    tensors, at = {}, 0
    for (name, kind, shape), size in zip(described, sizes, strict=True):
        tensors[name] = np.frombuffer(body[at : at + size], kind).reshape(shape)
        at += size
    return tensors


def _listed(value: Any) -> Sequence[Any]:
    if not isinstance(value, list) or len(value) > MAX_TENSORS:
        raise ValueError(f"tensors is no list of up to {MAX_TENSORS}")
    return value


def _described(entry: Any) -> tuple[str, str, tuple[int, ...]]:
    require_kinds(entry, {"name": TEXT, "type": TEXT})
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > MAX_AXES or not all(map(COUNT[1], shape)):
        raise ValueError(f"shape is {repr(shape)[:40]}")
    if entry["type"] not in TYPES:
        raise ValueError(f"type is {entry['type'][:40]!r}")
    return entry["name"], TYPES[entry["type"]], tuple(shape)
