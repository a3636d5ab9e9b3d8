"""An Android phone as a place: `adb forward` to a local socket of the app, on no network."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from ..errors import DeviceError, first_line
from .streams import SocketTransport

SOCKET = "localabstract:ritm-edge"  # where the app listens while it shows its device mode
COMMAND_S = 20.0


class Phone:
    """See `device.Place`. `serial` as `adb devices` shows it; None takes the only phone. Raises
    DeviceError: there is no adb."""

    storage: Path | None = None

    def __init__(self, serial: str | None = None) -> None:
        self.name = "adb" if serial is None else f"adb:{serial}"
        self._command = [find_adb(), *(() if serial is None else ("-s", serial))]
        self._port: int | None = None

    def connect(self) -> SocketTransport:
        """See `Place`."""
        self._forget()
        said = " ".join(self._adb("forward", "tcp:0", SOCKET).split())
        if not said.isdecimal():
            raise DeviceError(f"adb forward answers '{said[:80]}' instead of a port: update adb.")
        self._port = int(said)
        try:
            connected = socket.create_connection(("127.0.0.1", self._port), COMMAND_S)
        except (OSError, OverflowError) as error:
            raise DeviceError(
                f"{self.name} cannot be reached at the port {said} of adb ({error}): open the "
                "device mode of the app on the phone."
            ) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return SocketTransport(connected)

    def close(self) -> None:
        """See `Place`."""
        self._forget()

    def _forget(self) -> None:
        if self._port is not None:
            with suppress(DeviceError):  # the phone was unplugged, and the port with it
                self._adb("forward", "--remove", f"tcp:{self._port}")
            self._port = None

    def _adb(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=COMMAND_S,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"adb {arguments[0]} gave no answer within {COMMAND_S:.0f} s: run adb kill-server."
            ) from error
        except OSError as error:
            raise DeviceError(
                f"{self._command[0]} cannot be run ({error.strerror}): install it again."
            ) from error
        if done.returncode != 0:
            words = first_line(RuntimeError(done.stderr or done.stdout))
            raise DeviceError(
                f"adb {' '.join(arguments)} failed ({words}): connect a phone, allow USB debugging "
                "on it, or choose one that adb devices shows with --on adb:SERIAL."
            )
        return done.stdout


def find_adb() -> str:
    """The program. Raises DeviceError: it is not installed."""
    home = os.environ.get("ANDROID_HOME") or os.environ.get("ANDROID_SDK_ROOT")
    inside = Path(home or "") / "platform-tools" / "adb"
    found = shutil.which("adb") or (shutil.which(str(inside)) if home else None)
    if found is None:
        raise DeviceError(
            "adb was not found on the path or in ANDROID_HOME: install Android's platform tools."
        )
    return found
