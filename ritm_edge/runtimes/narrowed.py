"""A runtime that answers like another one, but only in the shapes of an artifact."""

from collections.abc import Mapping

from numpy.typing import ArrayLike

from ..artifacts.info import ArtifactInfo
from ..io_spec import IOSpec
from .base import Outputs, Runtime
from .contract import check_inputs


class NarrowedRuntime:
    """Makes PyTorch, which takes any size, see exactly what an artifact would see.

    A session chooses its zoom-in by `spec`; with the same spec, reference and artifact get the
    same inputs.
    """

    info: ArtifactInfo | None = None

    def __init__(self, runtime: Runtime, spec: IOSpec) -> None:
        self.name, self.engine, self.label = runtime.name, runtime.engine, runtime.label
        self.source, self.spec = runtime.source, spec
        self._runtime = runtime

    @property
    def sha256(self) -> str:
        """See `Runtime`."""
        return self._runtime.sha256

    def close(self) -> None:
        """See `Runtime.close`."""
        self._runtime.close()

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`."""
        return self._runtime.run(check_inputs(self.spec, inputs))
