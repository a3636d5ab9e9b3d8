"""`ritm-edge predict`: clicks on a photo become a mask."""

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ClickError, OutputFileError, UsageError
from .console import print_json, print_notice
from .devices import Listen, On, opened_runtimes
from .options import (
    AllowChanged,
    AsJson,
    Threads,
    refuse_folder,
    refuse_idle,
    refuse_overwriting,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..clicks import Click
    from ..runtimes.base import Runtime

NAN = math.nan
_CLICK = re.compile(r"(?P<row>[^,]+),(?P<column>[^,]+)(?:,\s*(?P<sign>pos|neg)\s*)?", re.IGNORECASE)


def command(
    context: typer.Context,
    photo: Annotated[Path, typer.Argument(help="JPEG, PNG, TIFF, WebP, …", show_default=False)],
    click: Annotated[
        list[str] | None,
        typer.Option(
            "--click",
            "-c",
            metavar="ROW,COLUMN[,pos|neg]",
            help="In pixels of the photo as you see it, from its upper left corner; fractions are "
            "allowed. pos (default) is on the object, neg on something else. Repeat for several "
            "clicks, in their order.",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="X,Y[,pos|neg]",
            help="The same as --click with the column first, as image viewers show it.",
        ),
    ] = None,
    clicks_file: Annotated[
        Path | None,
        typer.Option(
            "--clicks",
            metavar="FILE",
            help="Repeat the clicks of a session that was saved (the JSON of session.log()), with "
            "its settings, on a photo of the same size and with the same artifact.",
            show_default=False,
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", help="Start from this mask or label map of the photo's size."),
    ] = None,
    mask_label: Annotated[
        int | None,
        typer.Option(
            "--mask-label", min=1, help="Id of the object in the label map --mask; default: all."
        ),
    ] = None,
    artifact: Annotated[
        Path | None,
        typer.Option("--artifact", help="Run this exported file."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Run these weights; default: embedded hrnet18s."),
    ] = None,
    session_graphs: Annotated[
        bool,
        typer.Option(
            "--session-graphs",
            help="Let the artifact's own session graphs do what surrounds the network, as in an "
            "app (export --session).",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the mask, white on black; default: NAME.mask.png in this folder.",
            show_default=False,
        ),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", help="Also save the photo with object, contour and clicks."),
    ] = None,
    on: On = None,
    listen: Listen = None,
    threads: Threads = None,
    allow_changed: AllowChanged = False,
    as_json: AsJson = False,
) -> None:
    """Cut an object out of a photo with clicks.

    The mask has the size of the photo. If anything fails, no file is written.

    Example: ritm-edge predict photo.jpg --click 120,200 --click 40,60,neg --overlay seen.png
    """
    if click and at:
        raise UsageError(
            "--click and --at exclude each other, since clicks have an order: use one of them."
        )
    if clicks_file is not None and (click or at):
        raise UsageError("--clicks holds all clicks: leave out --click and --at.")
    clicks = parse_clicks(click or []) or parse_clicks(at or [], column_first=True)
    if not clicks and mask is None and clicks_file is None:
        raise UsageError("no click and no mask: pass --click ROW,COLUMN or --at X,Y at least once.")
    if on is not None:
        refuse_idle(context, "with --on, where only the network runs", "session_graphs")
    if mask_label is not None and mask is None:
        raise UsageError(f"--mask-label {mask_label} needs a label map: pass one with --mask.")
    if artifact is not None and checkpoint is not None:
        raise UsageError("--artifact and --checkpoint exclude each other: pass one of them.")
    output = output or Path(f"{photo.stem}.mask.png")
    check_outputs(
        output, overlay, inputs=[p for p in (photo, mask, artifact, checkpoint) if p is not None]
    )

    from ..devices.remote import device_figures
    from ..imaging.images import encode_image, encode_mask, read_mask, read_photo
    from ..imaging.overlay import overlay as draw
    from ..session.graph_protocol import graph_options
    from ..session.log import read_log
    from ..weights import checkpoint_path

    log = None if clicks_file is None else read_log(clicks_file)
    image = read_photo(photo)
    start = None
    read_as: list[str] = []
    if mask is not None:
        size = image.shape[0], image.shape[1]
        start = read_mask(mask, size, label=mask_label, notice=read_as.append)
    before = time.perf_counter()
    (runtime,) = context.with_resource(
        opened_runtimes(
            context,
            [artifact or checkpoint_path(checkpoint)],
            on,
            listen,
            threads=threads,
            allow_changed=allow_changed,
        )
    )
    open_ms = (time.perf_counter() - before) * 1e3
    if log is not None:
        log.check(runtime.sha256, (image.shape[0], image.shape[1]), start)
        clicks = list(log.clicks)
    if not clicks:
        print_notice("no click: the mask is saved as it was given, without running the model.")
    for sentence in read_as:
        print_notice(sentence)
    settings = dict({} if log is None else log.settings)
    if session_graphs:
        fixed = None if runtime.info is None else runtime.info.session
        settings = {**settings, "protocol": "graphs"} if log else graph_options(fixed)
    found, milliseconds = _run_session(runtime, image, start, clicks, settings)

    files = {output: encode_mask(found, output)}
    if overlay is not None:
        files[overlay] = encode_image(draw(image, found, clicks), overlay)
    write_all(files)
    result = {
        "photo": str(photo),
        "height": image.shape[0],
        "width": image.shape[1],
        "object_pixels": int(found.sum()),
        "object_share": float(found.mean()),  # 0…1
        "runtime": runtime.name,
        "model": runtime.label,
        "open_ms": open_ms,
        "clicks": [
            {"row": c.row, "column": c.column, "positive": c.positive, "ms": ms}
            for c, ms in zip(clicks, milliseconds, strict=True)
        ],
        "start_mask": None if mask is None else str(mask),
        "start_mask_read_as": read_as[0] if read_as else None,
        "mask": str(output),
        "overlay": None if overlay is None else str(overlay),
        "device": device_figures(runtime),
    }
    if as_json:
        print_json(result)
    else:
        _print_summary(result)


def parse_clicks(texts: Sequence[str], *, column_first: bool = False) -> "list[Click]":
    """ "120,200" or "40.5,60,neg" → clicks in the order given.

    Args:
        texts: ROW,COLUMN and maybe the sign; X,Y with `column_first`.

    Raises:
        ClickError: another form, or a coordinate that is not a finite number.
    """
    from ..clicks import Click

    clicks = []
    for order, text in enumerate(texts):
        match = _CLICK.fullmatch(text)
        row, column = (_number(match["row"]), _number(match["column"])) if match else (NAN, NAN)
        if match is None or not math.isfinite(row) or not math.isfinite(column):
            form = "X,Y" if column_first else "ROW,COLUMN"
            raise ClickError(
                f"'{text}' is not a click: write {form} or {form},neg in pixels, for example "
                "120,200."
            )
        if column_first:
            row, column = column, row
        positive = (match["sign"] or "pos").lower() == "pos"
        clicks.append(Click(row, column, positive, order))
    return clicks


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return NAN


def check_outputs(output: Path, overlay: Path | None, *, inputs: Sequence[Path]) -> None:
    """Refuse, before any work, places that cannot or must not be written.

    Raises:
        UsageError: an output that is an input or the other output, or with an unusable suffix.
        OutputFileError: a folder, or inside something that is not a writable folder.
    """
    from ..imaging.images import IMAGE_SUFFIXES, MASK_SUFFIXES, check_suffix

    check_suffix(output, MASK_SUFFIXES, "a mask")
    if overlay is not None:
        check_suffix(overlay, IMAGE_SUFFIXES, "a picture")
    written = [path for path in (output, overlay) if path is not None]
    refuse_overwriting(written, inputs)
    for path in written:
        refuse_folder(path)
        parent = path.absolute().parent
        while not parent.exists():
            parent = parent.parent
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise OutputFileError(
                f"cannot write {path}: {parent} is not a folder you can write to; choose another "
                "place."
            )


def write_all(files: dict[Path, bytes]) -> None:
    """Write every file, or none.

    Raises:
        OutputFileError: one cannot be written; nothing has been.
    """
    from ..files import atomic_output

    with ExitStack() as stack:
        places = [(stack.enter_context(atomic_output(path)), path) for path in files]
        for temporary, path in places:
            temporary.write_bytes(files[path])


def _run_session(
    runtime: "Runtime",
    image: "NDArray[np.uint8]",
    start: "NDArray[np.float32] | None",
    clicks: "Sequence[Click]",
    settings: Mapping[str, Any],
) -> "tuple[NDArray[np.bool_], list[float]]":
    """The last mask and the milliseconds of every click."""
    from ..session.interactive import InteractiveSession

    session = InteractiveSession(runtime, **settings)
    session.set_image(image)
    if start is not None:
        session.set_mask(start)
    milliseconds = []
    for click in clicks:
        before = time.perf_counter()
        session.click(click.row, click.column, positive=click.positive)
        milliseconds.append((time.perf_counter() - before) * 1e3)
    return session.mask, milliseconds


def _print_summary(result: dict[str, Any]) -> None:
    lines = [
        (
            "object",
            "{object_share:.1%} of {height} x {width} pixels (height x width)".format(**result),
        ),
        ("clicks", f"{len(result['clicks'])}{_times(result['clicks'])}"),
        ("model", "{model} ({runtime}, opened in {open_ms:.0f} ms)".format(**result)),
        ("saved", ", ".join(filter(None, (result["mask"], result["overlay"])))),
    ]
    for name, text in lines:
        typer.echo(f"{name:<8}{text}")


def _times(clicks: Sequence[dict[str, Any]]) -> str:
    if not clicks:
        return ""
    times = " ".join(f"{click['ms']:.0f}" for click in clicks)
    mean = sum(click["ms"] for click in clicks) / len(clicks)
    return f", {mean:.0f} ms each ({times})" if len(clicks) > 1 else f", {mean:.0f} ms"
