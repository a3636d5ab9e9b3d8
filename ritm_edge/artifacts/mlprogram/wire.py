"""Decodes the protobuf wire format into plain values, trusting nothing in the data.

Only reading, and only what a schema names: unknown fields are skipped as the format prescribes.
ExportInput: https://protobuf.dev/programming-guides/encoding/.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .problems import FormatError

Scalar = Literal["int32", "int64", "uint64", "bool", "string", "bytes", "float", "double"]
Decoded = dict[str, Any]

# A Core ML program nests about 13 messages; a hostile file could nest until Python gives up.
MAX_DEPTH = 40
MAX_VARINT_BYTES = 10

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
VARINT_KINDS = ("int32", "int64", "uint64", "bool")
FIXED_KINDS = {"float": (FIXED32, "<f4"), "double": (FIXED64, "<f8")}


@dataclass
class Message:
    """One message type: field number → field.

    Mutable, because message types refer to one another in circles.
    """

    name: str
    fields: dict[int, "Field"] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        name: key in the decoded value.
        kind: a scalar, or the type of an embedded message.
        repeated: decoded to a list (scalars of fixed width to a NumPy array).
        keyed: a map with string keys and values of `kind`; decoded to a dict.
    """

    name: str
    kind: Scalar | Message
    repeated: bool = False
    keyed: bool = False


def decode(data: bytes, message: Message) -> Decoded:
    """Decode one message.

    Args:
        data: its bytes.
        message: its type.

    Returns:
        Field name → value, only for fields that are present (repeated and keyed ones always are).

    Raises:
        FormatError: truncated, of another message type, or nested too deeply.
    """
    return _merge(memoryview(data), message, _empty(message), depth=0)


def _empty(message: Message) -> Decoded:
    return {f.name: {} if f.keyed else [] for f in message.fields.values() if f.repeated or f.keyed}


def _merge(data: memoryview, message: Message, into: Decoded, *, depth: int) -> Decoded:
    if depth > MAX_DEPTH:
        raise FormatError("its messages are nested too deeply")
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire_type = tag & 7
        start, end, position = _extent(data, position, wire_type)
        known = message.fields.get(tag >> 3)
        if known is not None:
            _store(data[start:end], wire_type, known, into, depth=depth)
    return into


def _store(value: memoryview, wire_type: int, known: Field, into: Decoded, *, depth: int) -> None:
    kind = known.kind
    if isinstance(kind, Message):
        _expect(wire_type == DELIMITED, known)
        if known.keyed:
            key, item = _map_entry(value, known, depth=depth)
            into[known.name][key] = item
        elif known.repeated:
            into[known.name].append(_merge(value, kind, _empty(kind), depth=depth + 1))
        else:
            # The format says: occurrences of one embedded message are merged.
            existing = into.setdefault(known.name, _empty(kind))
            _merge(value, kind, existing, depth=depth + 1)
    elif known.keyed:
        _expect(wire_type == DELIMITED, known)
        key, item = _map_entry(value, known, depth=depth)
        into[known.name][key] = item
    elif known.repeated:
        into[known.name].extend(_repeated(value, wire_type, kind, known))
    else:
        into[known.name] = _scalar(value, wire_type, kind, known)


def _map_entry(value: memoryview, known: Field, *, depth: int) -> tuple[str, Any]:
    entry = Message("entry", {1: Field("key", "string"), 2: Field("value", known.kind)})
    decoded = _merge(value, entry, {}, depth=depth + 1)
    if isinstance(known.kind, Message):
        decoded.setdefault("value", _empty(known.kind))
    return decoded.get("key", ""), decoded.get("value", "")


def _repeated(value: memoryview, wire_type: int, kind: Scalar, known: Field) -> Any:
    if wire_type == DELIMITED and kind in FIXED_KINDS:
        dtype = FIXED_KINDS[kind][1]
        _expect(len(value) % np.dtype(dtype).itemsize == 0, known)
        return np.frombuffer(value, dtype)
    if wire_type == DELIMITED and kind in VARINT_KINDS:
        numbers, position = [], 0
        while position < len(value):
            number, position = _varint(value, position)
            numbers.append(_signed(number, kind))
        return numbers
    return [_scalar(value, wire_type, kind, known)]


def _scalar(value: memoryview, wire_type: int, kind: Scalar, known: Field) -> Any:
    if kind in VARINT_KINDS:
        _expect(wire_type == VARINT, known)
        return _signed(_varint(value, 0)[0], kind)
    if kind in FIXED_KINDS:
        expected, dtype = FIXED_KINDS[kind]
        _expect(wire_type == expected, known)
        return float(np.frombuffer(value, dtype)[0])
    _expect(wire_type == DELIMITED, known)
    if kind == "bytes":
        return bytes(value)
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"the text in its field {known.name} is not UTF-8") from error


def _signed(number: int, kind: Scalar) -> int | bool:
    if kind == "bool":
        return bool(number)
    if kind == "int32":
        number &= 0xFFFFFFFF
        return number - 2**32 if number >= 2**31 else number
    if kind == "int64" and number >= 2**63:
        return number - 2**64
    return number


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    number = 0
    for index in range(MAX_VARINT_BYTES):
        if position >= len(data):
            raise FormatError("it ends in the middle of a number")
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, position
    raise FormatError("it contains a number of more than 64 bits")


def _extent(data: memoryview, position: int, wire_type: int) -> tuple[int, int, int]:
    """Start and end of a field's value, and where the next field begins."""
    start = position
    if wire_type == VARINT:
        _, end = _varint(data, position)
    elif wire_type == DELIMITED:
        length, start = _varint(data, position)
        end = start + length
    elif wire_type in (FIXED32, FIXED64):
        end = position + (4 if wire_type == FIXED32 else 8)
    else:
        raise FormatError(f"it contains the unknown wire type {wire_type}")
    if end > len(data):
        raise FormatError("it ends in the middle of a field")
    return start, end, end


def _expect(fits: bool, known: Field) -> None:
    if not fits:
        raise FormatError(f"its field {known.name} has another type than the format says")
