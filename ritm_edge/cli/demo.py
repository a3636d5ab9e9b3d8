"""`ritm-edge demo`: the annotator's page, on this machine."""

import os
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtraError, OutputFileError, UsageError
from . import export
from .console import print_notice
from .options import refuse_idle

MODEL = Path("lite0")


def command(
    context: typer.Context,
    artifact: Annotated[
        Path | None, typer.Option(help="A .tflite made with --session; default: lite0, kept.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in your browser.")] = True,
    build: Annotated[
        Path | None, typer.Option(help="Write all into this new folder, for any web server.")
    ] = None,
) -> None:
    """Click on objects in a page that runs an artifact in your browser.

    Only this machine can open it, and no photo leaves the page. Stop it with Ctrl-C.

    Example: ritm-edge demo --artifact artifacts/lite0-400x400.tflite
    """
    from ..files import atomic_output, scratch_folder
    from ..web.server import LOOPBACK, open_server
    from ..web.site import Site, page_files

    if build is not None:
        refuse_idle(context, "with --build", "port", "browser")
        if build.exists():
            raise OutputFileError(f"{build} exists: name a folder that does not exist yet.")
    page_files()  # says that there is none before any work
    artifact = _kept() if artifact is None else _checked(artifact)
    with scratch_folder() as scratch:
        site = Site(artifact, scratch)
        if build is not None:
            with atomic_output(build) as temporary:
                site.write(temporary)
            print_notice(f"saved {build}; docs/web.md says what its server should send")
            return
        with open_server(site, port) as server:
            address = f"http://{LOOPBACK}:{server.server_port}/"
            print_notice(f"{address} (Ctrl-C stops it; self-check: {address}check/)")
            if browser:
                webbrowser.open(address)
            with suppress(KeyboardInterrupt):
                server.serve_forever()


def _checked(artifact: Path) -> Path:
    """`artifact`, unless it is what the page could not run; errors as `open_runtime`."""
    from ..runtimes.base import open_runtime

    if artifact.suffix != ".tflite":
        raise UsageError(f"{artifact} is no .tflite file, and the page runs no other: export one.")
    info = open_runtime(artifact).info
    if info is None or info.session is None:
        raise UsageError(f"{artifact} has no session graphs: export it with --session.")
    return artifact


def _kept() -> Path:
    """The embedded model as an artifact, exported when it is wanted for the first time; where the
    exporters are not installed, the smaller one of the package."""
    from .. import __version__
    from ..files import sha256_of
    from ..weights import SHIPPED_ARTIFACT, checkpoint_path

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ritm-edge"
    place = cache / f"{__version__}-{sha256_of(checkpoint_path(MODEL))[:16]}"
    if not any(place.glob("*.tflite")):
        print_notice(f"exporting {MODEL} once, which takes a few minutes; kept in {place}")
        try:
            export.command(["tflite"], checkpoint=MODEL, output=place, session=True)
        except (MissingExtraError, ModuleNotFoundError):
            print_notice("the exporters are not installed (ritm-edge[tflite]), so it opens in int8")
            return SHIPPED_ARTIFACT
    return next(place.glob("*.tflite"))
