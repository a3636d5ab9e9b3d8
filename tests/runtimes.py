"""Small stand-ins for runtimes in tests."""

from pathlib import Path
from typing import Any

from ritm_edge.artifacts.info import ArtifactInfo
from ritm_edge.io_spec import IOSpec
from ritm_edge.runtimes.pytorch import PytorchRuntime

from .models import tiny_model


class FakeRuntime:
    """What every stand-in for a runtime has."""

    name = "fake"
    engine: str | None = None
    label = "fake.onnx"
    sha256 = "0" * 64
    source: Any = None
    info: ArtifactInfo | None = None

    def close(self) -> None:
        """Nothing is open."""


def tiny_reference(*, prev_mask: bool = True) -> PytorchRuntime:
    """PyTorch on the small model."""
    return PytorchRuntime(tiny_model(prev_mask=prev_mask), Path("tiny.pth"))


def tiny_info(spec: IOSpec, target: str) -> ArtifactInfo:
    """The self-description an export of the small model would carry."""
    return ArtifactInfo(
        model={"name": "tiny"},
        io=spec,
        target=target,
        precision="fp32",
        checkpoint_sha256="0" * 64,
    )
