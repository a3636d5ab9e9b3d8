"""Photos and annotations that cannot be used: counted, named in a log, and a limit."""

from dataclasses import dataclass
from pathlib import Path

from ritm_edge.errors import TrainingError

from .rows import append_rows, read_rows, refuse_foreign

BROKEN_LOG = "broken.jsonl"
_KEYS = {"image", "problem"}
LARGEST_SHARE = 0.01


@dataclass(frozen=True)
class Problem:
    """What is wrong with a photo: the sentence of the error that was met, or, where the photo is
    `used` all the same and does not count towards the limit, of a warning."""

    image: str
    message: str
    used: bool = False


class BrokenFiles:
    """Remembers problems, writes each once to `broken.jsonl`, stops a run that has too many. What
    an earlier part of the run wrote to `path` is counted again. Raises OutputFileError: `path` is
    another program's file."""

    def __init__(self, path: Path, *, photos: int) -> None:
        self.path = path
        self.photos = photos
        refuse_foreign(path, "image", "problem")
        self._known: set[Problem] = set(_read(path))

    def __len__(self) -> int:
        """Photos that could not be used, wholly or in part."""
        return len({problem.image for problem in self._known if not problem.used})

    def add(self, problems: list[Problem]) -> list[Problem]:
        """Count problems and log those that are new; returns the new ones. Raises TrainingError:
        more than one photo in a hundred has a problem; OutputFileError: the log cannot be
        written."""
        if not problems:
            return []
        # Several processes share the log: what the others have met counts as well.
        self._known.update(_read(self.path))
        new = [problem for problem in dict.fromkeys(problems) if problem not in self._known]
        if not new:
            return []
        self._known.update(new)
        append_rows(
            self.path, ({"image": p.image, "problem": p.message, "used": p.used} for p in new)
        )
        stopping = [problem for problem in new if not problem.used]
        if stopping and len(self) > LARGEST_SHARE * self.photos:
            raise TrainingError(
                f"{stopping[-1].message.rstrip('.')}; {len(self)} of {self.photos} photos are "
                f"broken, more than {LARGEST_SHARE:.0%}: see {self.path} and repair the data."
            )
        return new


def _read(path: Path) -> list[Problem]:
    rows = read_rows(path) if path.is_file() else []
    return [
        Problem(str(r["image"]), str(r["problem"]), r.get("used") is True)
        for r in rows
        if r.keys() >= _KEYS
    ]
