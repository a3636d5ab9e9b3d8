"""What a run reports: rows in `log.jsonl`, without repeats after a resume, and TensorBoard."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ritm_edge.files import write_output

from .board import Board
from .rows import append_rows, read_rows, refuse_foreign
from .validation import Validation

LOG = "log.jsonl"
STEPS_PER_ROW = 20


class RunLog:
    """Appends rows {step, loss, iou, gradient_norm, learning_rate, samples_per_second, data_wait}
    and, after a validation, {step, validation: {benchmark: {noc@80, …}}}.

    Values are means over the steps since the row before (a gradient that overflowed float16 is
    left out); `data_wait` is the share of the time in which the step had to wait for data.

    Args:
        path: the file; rows beyond `done` (steps that a resumed run repeats) and a partly written
            last row are dropped.
        done: steps the run has already taken.

    Attributes:
        board: gets the same values; None for the file alone.

    Raises:
        OutputFileError: the file is another program's or cannot be written; also from the methods.
    """

    def __init__(self, path: Path, *, done: int) -> None:
        self.path = path
        self.board: Board | None = None
        self._pending: list[tuple[float, ...]] = []
        refuse_foreign(path, "step", "iou", "validation")
        kept = [row for row in read_steps(path) if row["step"] <= done] if done else []
        write_output(path, "".join(json.dumps(row) + "\n" for row in kept))

    def add(
        self,
        step: int,
        values: Sequence[float],
        *,
        learning_rate: float,
        samples: int,
        times: tuple[float, float],
        last: bool,
    ) -> None:
        """Count one step with its loss, IoU and norm of the gradient; `times` are the seconds from
        the end of the step before, and those of them without data. Writes a row when enough are
        collected or the run ends here (`last`)."""
        self._pending.append((*values, *times))
        if step % STEPS_PER_ROW and not last:
            return
        *found, seconds, waiting = zip(*self._pending, strict=True)
        elapsed = max(sum(seconds), 1e-9)
        row = {
            name: mean
            for name, each in zip(("loss", "iou", "gradient_norm"), found, strict=True)
            if (mean := _finite_mean(each)) is not None
        }
        row["learning_rate"] = learning_rate
        row["samples_per_second"] = round(len(self._pending) * samples / elapsed, 3)
        row["data_wait"] = round(sum(waiting) / elapsed, 4)
        self._pending.clear()
        append_rows(self.path, [{"step": step, **row}])
        if self.board is not None:
            self.board.scalars({f"train/{name}": value for name, value in row.items()}, step=step)

    def add_validation(self, result: Validation, *, step: int) -> None:
        """Write a row with the result of a validation after `step` steps."""
        rounded = {
            name: {key: round(value, 4) for key, value in values.items()}
            for name, values in result.benchmarks.items()
        }
        row = {"step": step, "validation": rounded, "seconds": round(result.seconds, 1)}
        append_rows(self.path, [row])
        if self.board is not None:
            for name, values in rounded.items():
                scalars = {f"validation/{name} {key}": value for key, value in values.items()}
                self.board.scalars(scalars, step=step)


def read_steps(path: Path) -> list[dict[str, Any]]:
    """Rows of a log with a step; errors as `read_rows`."""
    return [row for row in read_rows(path) if type(row.get("step")) is int]


def _finite_mean(values: Sequence[float]) -> float | None:
    """Mean to 6 digits without the gradients that overflowed float16; None if all did."""
    finite = [value for value in values if math.isfinite(value)]
    return float(f"{sum(finite) / len(finite):.6g}") if finite else None
