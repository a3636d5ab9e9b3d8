"""Figures that are counted and not timed: `python -m tests.counted FOLDER` measures them again.

FLOPs, parameters and bytes of lite0 as it is exported now, and the clicks that its embedded weights
need on the five objects of the sample photo.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from typer.testing import CliRunner

from ritm_edge.cli.main import app
from ritm_edge.samples import sample_label_map, sample_photo

FLOPS, NOC = "counted-flops.json", "counted-noc.json"


def run(*arguments: object) -> None:
    """A command of ritm-edge, in this process; its error is raised."""
    CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)


def measure(folder: Path) -> None:
    """Write both files into `folder`; less than a minute on two cores."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for kind, source in (
            ("images", sample_photo()),
            ("masks", sample_label_map()),
        ):
            (scratch / "sample" / kind).mkdir(parents=True)
            shutil.copy(source, scratch / "sample" / kind / f"astronaut{source.suffix}")
        export = ("export", "--checkpoint", "lite0", "--target", "onnx", "--size", "128x128")
        run(*export, "--output", scratch)
        run("bench", "flops", scratch / "lite0-128x128.onnx", "-o", scratch / FLOPS)
        benchmark = f"Folder={scratch / 'sample'}"
        run(*("bench", "noc", "lite0", "--data", benchmark), "-o", scratch / NOC)
        for each in (FLOPS, NOC):  # not beside them, where a journal would stay
            shutil.copy(scratch / each, folder)


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
