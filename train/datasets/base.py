"""What all readers of training sets share: entries, and reading photos, maps and JSON."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ritm_edge.errors import DatasetError, InputFileError
from ritm_edge.files import existing_file
from ritm_edge.images import read_photo
from ritm_edge.optional import require

from ..scene import Photo, Scene

IMAGE_SUFFIXES = {".webp", ".jpg", ".jpeg", ".png", ".bmp"}
MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Entry(ABC):
    """One photo of a training set; its files are read when it is loaded.

    Attributes:
        set_name: data set and split, for the counts a user sees.
        image: path of the photo.
    """

    set_name: str
    image: str

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Scene:
        """Read photo and annotation; `rng` chooses where a photo has several annotations.

        Raises:
            DatasetError: the photo, or the annotation as a whole, cannot be used.
        """

    def photo(self) -> Photo:
        """uint8 [H, W, 3], RGB.

        Raises:
            DatasetError: missing or broken.
        """
        try:
            return read_photo(self.image)
        except InputFileError as error:
            raise DatasetError(str(error)) from error


def read_labels(path: str | Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An 8-bit grey or palette image as its raw values (palette entries are numbers here).

    Args:
        path: PNG or another lossless format.
        shape: of the photo, rows and columns first.

    Returns:
        uint8 [H, W].

    Raises:
        DatasetError: missing, damaged, of another kind or of another size.
    """
    labels = read_pixels(path, shape)
    if labels.ndim != 2:
        raise DatasetError(
            f"{path} is not an 8-bit grey map of its photo's size {shape[0]}x{shape[1]}: fix or "
            "remove it."
        )
    return labels


def read_pixels(path: str | Path, shape: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    """Any 8-bit image as its raw values, uint8 [H, W] or [H, W, C]; errors as `read_labels`."""
    try:
        with Image.open(existing_file(Path(path)), formats=("PNG", "BMP", "TIFF", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DatasetError(f"{path} has over {MAX_PIXELS} pixels: fix or remove it.")
            pixels = np.array(image)
    except InputFileError as error:
        raise DatasetError(str(error)) from error
    except Exception as error:  # decoders raise a dozen kinds on damaged files
        raise DatasetError(f"{path} cannot be decoded: remove or replace it.") from error
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype != np.uint8 or (shape is not None and pixels.shape[:2] != shape[:2]):
        wanted = "" if shape is None else f" of its photo's size {shape[0]}x{shape[1]}"
        raise DatasetError(f"{path} is not an 8-bit map{wanted}: fix or remove it.")
    return pixels


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of any size, from a file that somebody else made.

    Raises:
        DatasetError: no such file, or not a JSON object.
    """
    from_json = require("pydantic_core", extra="train").from_json  # bounds the nesting by itself
    try:
        content = from_json(existing_file(path).read_bytes())
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0][:120]
        raise DatasetError(f"{path} is not JSON ({reason}): download it again.") from error
    except InputFileError as error:
        raise DatasetError(str(error)) from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not a JSON object: download it again.")
    return content


def find_root(root: Path, names: Iterable[str], probe: str, *, what: str) -> Path:
    """The folder of a data set: `root` itself or a known folder below it.

    Args:
        root: what the user gave.
        names: folders to try, relative to `root`.
        probe: a path that exists in the right one.
        what: name of the data set, for the message.

    Raises:
        DatasetError: none of them has `probe`.
    """
    tried = [root, *(root / name for name in names)]
    for folder in tried:
        if (folder / probe).exists():
            return folder
    raise DatasetError(
        f"no {what} in {root}: {probe} is in none of {', '.join(map(str, tried))}; pass its "
        "folder, or the one above, as --data-root."
    )


def read_names(path: Path) -> list[str]:
    """Lines of a split file such as train.txt, without blanks.

    Raises:
        DatasetError: missing, no text, or without a name.
    """
    try:
        names = existing_file(path).read_text().split()
    except (InputFileError, OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}): download it again.") from error
    if not names:
        raise DatasetError(f"{path} names no photo: download it again.")
    return names
