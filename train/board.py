"""TensorBoard: scalars and image panels of a run."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import OutputFileError
from ritm_edge.optional import require

FOLDER = "tensorboard"


class Board:
    """Writes event files; `tensorboard --logdir RUN` shows them. Events beyond the `done` steps
    that the run has already taken (a resumed run repeats them) are hidden. Raises
    MissingExtraError: TensorBoard is not installed; OutputFileError: the folder cannot be written;
    also from the methods."""

    def __init__(self, folder: Path, *, done: int) -> None:
        # If TensorFlow is installed, TensorBoard imports all of it, ten seconds for nothing that is
        # used here; this module tells it not to.
        sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
        require("tensorboard", extra="train")
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        with self._typed_errors():
            self._writer: Any = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        """Add one value to each named curve."""
        with self._typed_errors():
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def picture(self, name: str, picture: NDArray[np.uint8], *, step: int) -> None:
        """Add a picture, uint8 [H, W, 3] RGB."""
        with self._typed_errors():
            self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is pending."""
        with self._typed_errors():
            self._writer.close()

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputFileError(
                f"cannot write {self._folder}: {error.strerror or error}; make room and continue "
                "with --resume."
            ) from error
