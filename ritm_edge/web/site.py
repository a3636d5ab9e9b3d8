"""What the page consists of: its own files, the model, and data for the self-check."""

import shutil
from pathlib import Path
from threading import Lock

from ..errors import InputFileError

PAGE = Path(__file__).parents[1] / "page"
INDEX, CHECK = "index.html", "golden/"


def page_files() -> dict[str, Path]:
    """The built page by address.

    Raises:
        InputFileError: it was not built.
    """
    if not (PAGE / INDEX).is_file():
        raise InputFileError(f"{PAGE} has no built page: run make web, which needs Node.")
    return {p.relative_to(PAGE).as_posix(): p for p in PAGE.rglob("*") if p.is_file()}


def page_headers() -> dict[str, str]:
    """What every answer carries, from the page's own `_headers`."""
    lines = (PAGE / "_headers").read_text(encoding="utf-8").splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if line.startswith("  "))


class Site:
    """Addresses, relative and without a leading slash, and the files behind them.

    Nothing else is served: an address is looked up and never made into a path.

    Args:
        artifact: a .tflite with session graphs.
        scratch: an existing folder for the data of the self-check, made when first asked for.

    Attributes:
        headers: see `page_headers`.
    """

    def __init__(self, artifact: Path, scratch: Path) -> None:
        self._files = {**page_files(), "model.tflite": artifact}
        self._artifact, self._check = artifact, scratch / "golden"
        self._lock = Lock()
        self.headers = page_headers()

    def find(self, address: str) -> Path | None:
        """The file behind an address, that of a folder its index; None where there is none.

        Raises:
            RitmEdgeError: the data of the self-check cannot be made.
        """
        if address.startswith(CHECK):
            self.make_check()
        index = f"{address.removesuffix('/')}/{INDEX}".removeprefix("/")
        return self._files.get(address) or self._files.get(index)

    def make_check(self) -> None:
        """Write golden traces of the artifact, unless that was done.

        Raises:
            RitmEdgeError: the artifact's runtime is not installed, or it cannot be opened.
        """
        from ..runtimes.base import open_runtime
        from ..verification.golden import write_traces

        with self._lock:
            if f"{CHECK}traces.json" in self._files:
                return
            runtime = open_runtime(self._artifact)
            shutil.rmtree(self._check, ignore_errors=True)
            write_traces(runtime, self._check)
            self._files |= {CHECK + path.name: path for path in self._check.iterdir()}

    def write(self, folder: Path) -> None:
        """Copy everything into a folder for any web server; errors as `make_check`."""
        self.make_check()
        for address, path in self._files.items():
            (folder / address).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / address)
