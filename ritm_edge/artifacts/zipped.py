"""A model of two files, graph and weights, in one zip with its self-description.

Two files are easily separated. The zip keeps them together and shrinks the graph, which is half
of an 8-bit model otherwise; unzipped, the pair is what every tool of that format takes.
"""

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from ..errors import ArtifactError, raise_own_fault
from ..files import atomic_output, existing_file
from .checksum import require_unchanged, seal

DESCRIPTION = "ritm_edge.json"
# Unpacked; the largest model of ours has 0.2 GB. Zips can promise petabytes.
MAX_BYTES = 1 << 30
# Zips store the time of each member; a fixed one makes equal models equal files.
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ZippedModel:
    """The members; `description` is "" before the file is stamped. A format names its pair."""

    SUFFIX: ClassVar[str]
    GRAPH: ClassVar[str]
    WEIGHTS: ClassVar[str]

    graph: bytes
    weights: bytes
    description: str = ""

    def write(self, path: Path) -> None:
        """Write to `path`, whatever is there."""
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (
                (DESCRIPTION, self.description.encode()),
                (self.GRAPH, self.graph),
                (self.WEIGHTS, self.weights),
            ):
                member = zipfile.ZipInfo(name, EPOCH)
                member.external_attr = 0o644 << 16
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, data)

    @classmethod
    def read(cls, path: Path, *, allow_changed: bool = False) -> Self:
        """Read and check every member; `allow_changed` accepts it without checking the checksum in
        its description. Raises ArtifactError: another kind of file, changed after export, damaged,
        or huge; InputFileError: missing or unreadable."""
        path = existing_file(path)
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                    raise ArtifactError(f"{path} unpacks to over 1 GiB: export it again.")
                names = (cls.GRAPH, cls.WEIGHTS, DESCRIPTION)
                graph, weights, text = (archive.read(name) for name in names)
            if not allow_changed:
                require_unchanged(path, text, graph, weights)
            return cls(graph, weights, text.decode())
        except ArtifactError:
            raise
        # Reading a damaged zip raises a dozen kinds, NotImplementedError and zlib.error among them.
        except Exception as error:
            raise_own_fault(error)
            raise ArtifactError(
                f"{path} was damaged or otherwise changed after export, or is no {cls.SUFFIX} of "
                f"ritm-edge export ({type(error).__name__}): copy or export it again."
            ) from error

    @classmethod
    def stamp(cls, path: Path, text: str) -> None:
        """Write the self-description into the file, with the checksum of all. Raises ArtifactError:
        `path` is damaged or of another kind."""
        file = cls.read(path, allow_changed=True)
        description = seal(text.encode(), file.graph, file.weights).decode()
        with atomic_output(path) as temporary:
            replace(file, description=description).write(temporary)
