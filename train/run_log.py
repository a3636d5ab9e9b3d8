"""`log.jsonl`: one row of averages every few steps, without repeats after a resume."""

import json
import os
from pathlib import Path

from ritm_edge.errors import OutputFileError
from ritm_edge.files import atomic_output

LOG = "log.jsonl"
STEPS_PER_ROW = 20


class RunLog:
    """Appends rows {step, loss, iou, learning_rate, samples_per_second}.

    Loss, IoU and speed are means over the steps since the row before.

    Args:
        path: the file; rows beyond `done` (steps that a resumed run repeats) and a half-written
            last row are dropped.
        done: steps the run has already taken.

    Raises:
        OutputFileError: the file cannot be written; also from `add`.
    """

    def __init__(self, path: Path, *, done: int) -> None:
        self.path = path
        self._pending: list[tuple[float, float, float]] = []
        kept = [row for row in _rows(path) if _step(row) <= done] if done else []
        with atomic_output(path) as temporary:
            temporary.write_text("".join(row + "\n" for row in kept))

    def add(
        self, *, step: int, loss: float, iou: float, learning_rate: float, speed: float, last: bool
    ) -> None:
        """Count one step; writes a row when enough are collected or the run ends here."""
        self._pending.append((loss, iou, 1.0 / speed))
        if step % STEPS_PER_ROW and not last:
            return
        losses, ious, seconds = zip(*self._pending, strict=True)
        count = len(self._pending)
        self._pending.clear()
        row = {
            "step": step,
            "loss": round(sum(losses) / count, 6),
            "iou": round(sum(ious) / count, 6),
            "learning_rate": learning_rate,
            "samples_per_second": round(count / sum(seconds), 3),
        }
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OutputFileError(
                f"cannot write {self.path}: {error.strerror or os.strerror(error.errno or 5)}; "
                "make room and continue with --resume."
            ) from error


def _rows(path: Path) -> list[str]:
    if not path.exists():
        return []
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise OutputFileError(
            f"cannot read {path}: {error.strerror}; choose another --output."
        ) from error


def _step(row: str) -> float:
    """Step of a row; infinite where it is not one, so that it is dropped."""
    try:
        return int(json.loads(row)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
