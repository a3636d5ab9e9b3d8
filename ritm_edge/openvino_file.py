"""An .openvino file: a zip of `model.xml`, `model.bin` and the self-description.

OpenVINO's own format is a pair of files that get apart and have no checksum. The zip keeps them
together, finds damage, and shrinks the XML, half of an 8-bit model otherwise; unzipped, the pair
is what every OpenVINO tool takes.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

from .errors import ArtifactError
from .files import existing_file

GRAPH = "model.xml"
WEIGHTS = "model.bin"
DESCRIPTION = "ritm_edge.json"
# Unpacked; the largest model of ours has 0.2 GB. Zips can promise petabytes.
MAX_BYTES = 1 << 30
# Zips store the time of each member; a fixed one makes equal models equal files.
EPOCH = (1980, 1, 1, 0, 0, 0)


class OpenVinoFile(NamedTuple):
    """The members; `description` is "" before the file is stamped."""

    graph: bytes
    weights: bytes
    description: str = ""

    def write(self, path: Path) -> None:
        """Write to `path`, whatever is there."""
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (
                (DESCRIPTION, self.description.encode()),
                (GRAPH, self.graph),
                (WEIGHTS, self.weights),
            ):
                member = zipfile.ZipInfo(name, EPOCH)
                member.external_attr = 0o644 << 16
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, data)

    @staticmethod
    def read(path: Path) -> "OpenVinoFile":
        """Read and check every member.

        Raises:
            ArtifactError: another kind of file, damaged, or huge.
            InputFileError: missing or unreadable.
        """
        path = existing_file(path)
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                    raise ArtifactError(f"{path} unpacks to over 1 GiB: export it again.")
                graph, weights, text = (archive.read(n) for n in (GRAPH, WEIGHTS, DESCRIPTION))
            return OpenVinoFile(graph, weights, text.decode())
        except ArtifactError:
            raise
        # Reading a damaged zip raises a dozen kinds, NotImplementedError and zlib.error among them.
        except Exception as error:
            raise ArtifactError(
                f"{path} is damaged or not an .openvino file of ritm-edge export "
                f"({type(error).__name__}): copy or export it again."
            ) from error
