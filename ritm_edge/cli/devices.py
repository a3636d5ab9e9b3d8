"""`--on PLACE`: options and runtimes of commands whose files can run somewhere else."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from ..devices import HERE
from .console import print_notice
from .options import refuse_idle

if TYPE_CHECKING:
    from ..devices.device import Device
    from ..runtimes.base import Runtime

_HELP = "Run the files in a browser or on a phone: browser, adb or adb:SERIAL"
On = Annotated[str | None, Option("--on", metavar="PLACE", help=f"{_HELP}.")]
OnSeveral = Annotated[
    list[str] | None,
    Option("--on", metavar="PLACE", help=f"{_HELP}; here is this machine; repeatable."),
]
Listen = Annotated[
    str | None,
    Option(
        "--listen",
        metavar="ADDRESS[:PORT]",
        help="With --on browser: offer the page at this address of this machine to a browser that "
        "you open yourself, also on another device; only who has the whole address can use it.",
    ),
]


@contextmanager
def opened_devices(
    context: typer.Context, places: Sequence[str], listen: str | None
) -> "Iterator[list[Device | None]]":
    """The devices at the places, None for this machine; they are left when the block ends. Raises
    UsageError: no place, or nothing that would listen; DeviceError: one cannot be reached."""
    if "browser" not in places:
        refuse_idle(context, "without --on browser", "listen")
    devices: list[Device | None] = []
    with ExitStack() as stack:
        for place in dict.fromkeys(places):
            if place == HERE:
                devices.append(None)
                continue
            from ..devices.places import open_place

            devices.append(stack.enter_context(open_place(place, listen=listen, say=print_notice)))
        yield devices


@contextmanager
def opened_runtimes(
    context: typer.Context,
    paths: Sequence[Path],
    on: str | None,
    listen: str | None,
    *,
    threads: int | None,
    allow_changed: bool,
) -> "Iterator[list[Runtime]]":
    """The files, opened here or at a place, which may be lost and reached again. Raises
    RitmEdgeError: as `open_runtime` and `opened_devices`."""
    from ..runtimes.base import ModelFile, open_runtime

    with ExitStack() as stack:
        (device,) = stack.enter_context(opened_devices(context, [on or HERE], listen))
        if device is None:
            yield [open_runtime(p, threads=threads, allow_changed=allow_changed) for p in paths]
            return
        from ..devices.remote import RemoteRuntime

        files = [ModelFile(path, threads, allow_changed) for path in paths]
        remote = [stack.enter_context(RemoteRuntime(file, device, patient=True)) for file in files]
        for runtime in remote:
            runtime.open()
            if runtime.fallback is not None:
                print_notice(f"{runtime.place} runs {runtime.label} slowly: {runtime.fallback}.")
        yield [*remote]
