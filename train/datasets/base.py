"""What all readers of training sets share: entries, and reading photos, maps and JSON."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ritm_edge.data.base import read_bgr
from ritm_edge.errors import DatasetError, InputFileError, first_line
from ritm_edge.files import read_file
from ritm_edge.imaging.images import read_photo
from ritm_edge.optional import require

from ..scene import Photo, Scene

MAX_JSON = 1 << 31  # bytes; LVIS has half of it


@dataclass(frozen=True)
class Entry(ABC):
    """One photo of a training set, whose files are read when it is loaded; `set_name` is data set
    and split, for the counts a user sees, and `varies` says whether `load` chooses among several
    annotations."""

    varies: ClassVar[bool] = False
    set_name: str
    image: str

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Scene:
        """Read photo and annotation; `rng` chooses where a photo has several annotations. Raises
        InputFileError: the photo, or the annotation as a whole, cannot be used."""

    def photo(self) -> Photo:
        """uint8 [H, W, 3], RGB; errors as `read_photo`."""
        return read_photo(self.image)


def read_colours(path: str | Path, shape: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """A map whose colours are numbers, uint8 [H, W, 3] (red, green, blue), of any size where
    `shape` is None; errors as `read_photo` and `same_size`."""
    colours = read_bgr(Path(path))[..., ::-1]
    return colours if shape is None else same_size(colours, path, shape)


def same_size(
    labels: NDArray[np.uint8], path: str | Path, shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """`labels`, if it has the photo's size. Raises DatasetError: it has not."""
    if labels.shape[:2] != tuple(shape[:2]):
        raise DatasetError(
            f"{path} is {labels.shape[0]}x{labels.shape[1]}, its photo {shape[0]}x{shape[1]}: "
            "download both again."
        )
    return labels


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of any size, from a file that somebody else made. Raises DatasetError: no such
    file, or not a JSON object."""
    from_json = require("pydantic_core", extra="train").from_json  # bounds the nesting by itself
    try:
        content = from_json(read_file(path, most=MAX_JSON))
    except ValueError as error:
        raise DatasetError(
            f"{path} is not JSON ({first_line(error)}): download it again."
        ) from error
    except InputFileError as error:
        raise DatasetError(str(error)) from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not a JSON object: download it again.")
    return content


def find_root(root: Path, names: Iterable[str], probe: str, *, what: str) -> Path:
    """The folder of a data set, which has `probe`: `root` itself or one of the folders `names`
    below it. Raises DatasetError: none of them has it."""
    tried = [root, *(root / name for name in names)]
    for folder in tried:
        if (folder / probe).exists():
            return folder
    raise DatasetError(
        f"no {what} in {root}: {probe} is in none of {', '.join(map(str, tried))}; pass its "
        "folder, or the one above, as --data-root."
    )
