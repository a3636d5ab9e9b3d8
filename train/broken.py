"""Photos and annotations that cannot be used: counted, named in a log, and a limit."""

import json
from dataclasses import dataclass
from pathlib import Path

from ritm_edge.errors import OutputFileError, TrainingError

BROKEN_LOG = "broken.jsonl"
LARGEST_SHARE = 0.01


@dataclass(frozen=True)
class Problem:
    """What is wrong with a photo: the sentence of the error that was met, or, where the photo is
    `used` all the same and does not count towards the limit, of a warning."""

    image: str
    message: str
    used: bool = False


class BrokenFiles:
    """Remembers problems, writes each once to `broken.jsonl`, stops a run that has too many.

    Args:
        path: the log; what an earlier part of the run wrote is counted again.
        photos: number of photos in the data.
    """

    def __init__(self, path: Path, *, photos: int) -> None:
        self.path = path
        self.photos = photos
        self._known: set[Problem] = set(_read(path))

    def __len__(self) -> int:
        """Photos that could not be used, wholly or in part."""
        return len({problem.image for problem in self._known if not problem.used})

    def add(self, problems: list[Problem]) -> list[Problem]:
        """Count problems and log those that are new; returns the new ones.

        Raises:
            TrainingError: more than one photo in a hundred has a problem.
            OutputFileError: the log cannot be written.
        """
        if not problems:
            return []
        # Several processes share the log: what the others have met counts as well.
        self._known.update(_read(self.path))
        new = [problem for problem in dict.fromkeys(problems) if problem not in self._known]
        if not new:
            return []
        self._known.update(new)
        self._write(new)
        stopping = [problem for problem in new if not problem.used]
        if stopping and len(self) > LARGEST_SHARE * self.photos:
            raise TrainingError(
                f"{stopping[-1].message.rstrip('.')}; {len(self)} of {self.photos} photos are "
                f"broken, more than {LARGEST_SHARE:.0%}: see {self.path} and repair the data."
            )
        return new

    def _write(self, problems: list[Problem]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                for problem in problems:
                    row = {"image": problem.image, "problem": problem.message, "used": problem.used}
                    file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OutputFileError(
                f"cannot write {self.path}: {error.strerror}; make room and go on with --resume."
            ) from error


def _read(path: Path) -> list[Problem]:
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            row = json.loads(line)
            used = row.get("used") is True
            found.append(Problem(str(row["image"]), str(row["problem"]), used))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line that a crash cut short
    return found
