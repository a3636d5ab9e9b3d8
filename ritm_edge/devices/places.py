"""Devices by the names that people give them: `--on PLACE`."""

from collections.abc import Callable

from ..errors import UsageError
from . import HERE
from .adb import Phone
from .browser import Browser
from .device import Device

FORM = f"{HERE}, browser, adb or adb:SERIAL"


def open_place(
    text: str, *, listen: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Device:
    """The device that "browser", "adb" or "adb:SERIAL" names; see `Browser` and `Phone`. Raises
    UsageError: another name; DeviceError: it cannot be reached."""
    name, colon, serial = text.partition(":")
    if name == "browser" and not colon:
        return Device(Browser(listen, say))
    if name == "adb" and bool(serial) == bool(colon):
        return Device(Phone(serial or None))
    raise UsageError(f"'{text}' is not a place: pass --on {FORM}.")
