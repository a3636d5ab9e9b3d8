"""What the page consists of: its own files, the model, and data for the self-check."""

import shutil
from pathlib import Path
from threading import Lock

from ..errors import InputFileError

PAGE = Path(__file__).parents[1] / "page"
INDEX, CHECK = "index.html", "golden/"
# The first two allow threads; the last says in the browser's own terms that nothing leaves it.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "worker-src 'self' blob:; img-src 'self' blob: data:; connect-src 'self' blob:",
}


def page_files() -> dict[str, Path]:
    """The built page by address.

    Raises:
        InputFileError: it was not built.
    """
    if not (PAGE / INDEX).is_file():
        raise InputFileError(f"{PAGE} has no built page: run make web, which needs Node.")
    return {p.relative_to(PAGE).as_posix(): p for p in PAGE.rglob("*") if p.is_file()}


class Site:
    """Addresses, relative and without a leading slash, and the files behind them.

    Nothing else is served: an address is looked up and never made into a path.

    Args:
        artifact: a .tflite with session graphs.
        scratch: an existing folder for the data of the self-check, made when first asked for.
    """

    def __init__(self, artifact: Path, scratch: Path) -> None:
        self._files = {**page_files(), "model.tflite": artifact}
        self._artifact, self._check = artifact, scratch / "golden"
        self._lock = Lock()

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
        lines = ("/*", *(f"  {name}: {value}" for name, value in HEADERS.items()))
        (folder / "_headers").write_text("\n".join(lines) + "\n", encoding="utf-8")
