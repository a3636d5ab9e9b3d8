"""Photos and masks, from files of any kind to arrays and back.

Pillow decodes: OpenCV loses alpha, reads a truncated JPEG as a grey one without complaint and
has no size limit. 16-bit colour, which Pillow cuts to 8 bits, is in `images_deep`, what a mask
file means in `mask_kinds`.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import (
    DataWarning,
    ImageError,
    RitmEdgeError,
    ShapeError,
    UsageError,
    first_line,
    raise_own_fault,
)
from ..files import existing_file
from . import images_deep as deep
from . import jpeg, mask_kinds

MAX_PIXELS = 100_000_000  # 300 MB decoded; larger is a decompression bomb or a panorama
# Formats of photos. Pillow's others are not opened: EPS would start Ghostscript.
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".webp")  # those that keep every pixel
IMAGE_SUFFIXES = (*MASK_SUFFIXES, ".jpg", ".jpeg")
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_deflate"},
}
_EXIF_ORIENTATION = 0x0112
_Pixel = TypeVar("_Pixel", bound=np.generic)


def read_photo(path: str | Path) -> NDArray[np.uint8]:
    """Read a photo as people see it: turned by its EXIF orientation, 8 bits, RGB.

    Greyscale becomes three equal channels. Transparent parts become white, as a browser shows
    them. CMYK JPEGs are taken as stored inverted (0 is full ink), with or without an Adobe
    marker, as browsers do; no colour profile is applied. 16-bit files are scaled from the
    smallest of 8, 10, 12, 14 and 16 bits that holds their brightest value, so that 12 bits in a
    16-bit file are not black. Of several frames or pages the first is read. Damage that a JPEG's
    decoder tolerates is a `DataWarning`.

    Args:
        path: JPEG, PNG, TIFF, WebP, BMP, GIF, PPM, JPEG 2000 or AVIF.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        InputFileError: nothing is there, or it cannot be read.
        ImageError: a folder, an empty or truncated file, another kind of file (a 12-bit JPEG, for
            instance), more than `MAX_PIXELS`, or pixels without a known range (32-bit).
    """
    path = _existing_image(Path(path))
    with _explained(path):
        pixels, orientation = _decode(path)
        return np.ascontiguousarray(_turn(deep.to_rgb8(pixels), orientation))


def read_mask(
    path: str | Path,
    size: tuple[int, int],
    *,
    label: int | None = None,
    notice: Callable[[str], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Read a mask drawn elsewhere as probabilities, float32 [H, W] in 0…1, by the kind of its file
    (`mask_kinds`): any format of `read_photo`, or a TIFF of floats in 0…1. Ignored pixels are 0.

    It must have the `size` (H, W) of its photo; `label` is the id of the object in a label map, and
    None takes all; `notice` is told in one sentence how the file was read. Raises InputFileError,
    ImageError: as `read_mask_file`, or no pixel is selected; ShapeError: another size than the
    photo's; UsageError: `label` is not in the file, or the file is not a label map.
    """
    mask = read_mask_file(path)
    height, width = mask.labels.shape
    if (height, width) != tuple(size):
        raise ShapeError(
            f"the mask {path} is {height}x{width} (height x width), but the photo "
            f"is {size[0]}x{size[1]}: pass a mask of the photo's size."
        )
    probabilities, sentence = mask.select(path, label)
    notice(sentence)
    return probabilities


def read_mask_file(path: str | Path) -> mask_kinds.Mask:
    """Read a mask of any size, turned by its EXIF orientation. Raises InputFileError, ImageError:
    as `read_photo`; several frames; a picture that is not a mask."""
    path = _existing_image(Path(path))
    with _explained(path):
        pixels, orientation = _decode(path, is_mask=True)
        mask = mask_kinds.understand(pixels)
        levels = None if mask.levels is None else _turn(mask.levels, orientation)
        return replace(mask, labels=_turn(mask.labels, orientation), levels=levels)


def encode_mask(mask: ArrayLike, path: str | Path) -> bytes:
    """A mask, bool [H, W], as 8-bit greyscale: 255 is the object, 0 the rest; `path` is where it is
    going to stand. Raises UsageError: a suffix that would change pixels (`.jpg`) or is unknown;
    ShapeError: not two-dimensional."""
    check_suffix(path, MASK_SUFFIXES, "a mask")
    array = np.asarray(mask)
    if array.ndim != 2:
        raise ShapeError(f"a mask is {list(array.shape)} instead of [H, W]: pass one channel.")
    return _encode(Image.fromarray(array.astype(bool).astype(np.uint8) * np.uint8(255)), path)


def encode_image(image: ArrayLike, path: str | Path) -> bytes:
    """A picture, uint8 [H, W, 3] RGB; JPEG in quality 95, all others without loss; `path` is where
    it is going to stand. Raises UsageError: an unknown suffix; ShapeError: another array."""
    check_suffix(path, IMAGE_SUFFIXES, "a picture")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ShapeError(
            f"a picture is {array.dtype} {list(array.shape)} instead of uint8 [H, W, 3]: "
            "convert it first."
        )
    return _encode(Image.fromarray(np.ascontiguousarray(array)), path)


def check_suffix(path: str | Path, suffixes: tuple[str, ...], what: str) -> None:
    """Refuse an output path whose suffix stands for no format or the wrong one. Raises UsageError:
    names the suffixes that can be used."""
    if Path(path).suffix.lower() not in suffixes:
        raise UsageError(f"{path} cannot hold {what}: use a name ending in {', '.join(suffixes)}.")


def _existing_image(path: Path) -> Path:
    path = existing_file(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder: pass one image file.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty: copy or download it again.")
    return path


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged or hostile file into one sentence."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large(path, "far too many")) from error
    except MemoryError as error:
        raise ImageError(f"{path} does not fit into memory: make it smaller.") from error
    except RitmEdgeError:
        raise
    except deep.UnknownRangeError as error:
        reason, advice = (*error.args, "save it with 8 or 16 bits per channel")[:2]
        raise ImageError(f"{path} {reason}: {advice}.") from error
    except Exception as error:  # decoders raise a dozen kinds of errors on damaged files
        raise_own_fault(error)
        raise ImageError(
            f"{path} is damaged and cannot be decoded ({first_line(error)}): copy or download it "
            "again."
        ) from error


def _too_large(path: Path, pixels: str) -> str:
    limit = MAX_PIXELS // 1_000_000
    return f"{path} has {pixels} pixels; the limit is {limit} million: make it smaller."


def _decode(path: Path, *, is_mask: bool = False) -> tuple[deep.Pixels, int]:
    """Pixels and the EXIF orientation (1…8) that is still to be applied."""
    damage = ""
    with warnings.catch_warnings():
        # Pillow warns at 89 million pixels, below our limit, and about damaged EXIF data.
        warnings.simplefilter("ignore")
        Image.init()
        formats = [name for name in FORMATS if name in Image.OPEN]
        try:
            image = Image.open(path, formats=formats)
        except UnidentifiedImageError as error:
            found = deep.decode_12_bit_tiff(path, lambda size: _check_pixels(path, size))
            if found is None:
                raise ImageError(
                    f"{path} is not an image of a known kind, or its beginning is damaged: "
                    "save it as JPEG or PNG."
                ) from error
            return found, 1
        with image:
            _check_pixels(path, image.size)
            if is_mask and getattr(image, "n_frames", 1) > 1:
                raise ImageError(f"{path} has several frames: save the one that is the mask.")
            if image.format in ("JPEG", "MPO"):
                content, damage = jpeg.read_whole(path)
                image = Image.open(io.BytesIO(content), formats=formats)
            step, lossy = deep.value_step(image), is_mask and deep.is_lossy(image)
            image.load()  # before OpenCV sees it, which would accept a truncated file
            orientation = _orientation(image)  # 1 after loading a TIFF: Pillow has turned it
            if deep.is_deep_colour(image):
                # OpenCV turns TIFFs itself and leaves PNGs as they are.
                done = image.format == "TIFF"
                return deep.decode_deep_colour(path), 1 if done else orientation
            pixels = replace(deep.from_pillow(image), step=step, lossy=lossy)
    if damage:
        text = f"{path} may be damaged ({damage}): look at it, or copy it again."
        warnings.warn(DataWarning(text), stacklevel=3)
    return pixels, orientation


def _check_pixels(path: Path, size: tuple[int, int]) -> None:
    pixels = size[0] * size[1]
    if pixels > MAX_PIXELS:
        raise ImageError(_too_large(path, f"{size[0]} x {size[1]} = {pixels / 1e6:.0f} million"))


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # a photo with damaged EXIF data is still a photo
        return 1
    return value if value in range(1, 9) else 1


def _turn(image: NDArray[_Pixel], orientation: int) -> NDArray[_Pixel]:
    if orientation >= 5:
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def _encode(image: Image.Image, path: str | Path) -> bytes:
    kind = Image.registered_extensions()[Path(path).suffix.lower()]
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **_SAVE_OPTIONS.get(kind, {}))
    return buffer.getvalue()
