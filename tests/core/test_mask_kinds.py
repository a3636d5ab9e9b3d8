"""Mask files of every kind: what they select, and how they say they were read."""

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ritm_edge.data.folder import read_labels
from ritm_edge.errors import ImageError, UsageError
from ritm_edge.imaging.images import read_mask, read_mask_file
from ritm_edge.imaging.mask_kinds import ALPHA, BINARY, IGNORED, LABEL_MAP, LEVELS, TRIMAP

from .image_files import exif, png, save, stored

SIZE = (60, 80)
DISK = cv2.circle(np.zeros(SIZE, np.uint8), (30, 25), 14, 1, -1).astype(bool)
BOX = np.zeros(SIZE, bool)
BOX[40:55, 50:72] = True
SOFT = cv2.resize(
    cv2.circle(np.zeros((480, 640), np.uint8), (240, 200), 112, 255, -1),
    (80, 60),
    interpolation=cv2.INTER_AREA,
)


def grey(disk: int, box: int = 0, kind: type = np.uint8) -> np.ndarray:
    values = np.zeros(SIZE, kind)
    values[DISK], values[BOX] = disk, box
    return values


def coloured(disk: tuple, box: tuple = (0, 0, 0), background: tuple = (0, 0, 0)) -> np.ndarray:
    values = np.full((*SIZE, 3), background, np.uint8)
    values[DISK], values[BOX] = disk, box
    return values


def voc_palette() -> list[int]:
    palette = []
    for number in range(256):
        bits = [[number >> (3 * j + channel) & 1 for j in range(3)] for channel in range(3)]
        palette += [sum(bit << (7 - j) for j, bit in enumerate(each)) for each in bits]
    return palette


def with_palette(indices: np.ndarray, palette: list[int], **options: object) -> bytes:
    image = Image.fromarray(indices, "P")
    image.putpalette(palette)
    return encoded(image, **options)


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cutout(colour: tuple[int, int, int], opaque: int = 255, rest: int = 0) -> np.ndarray:
    alpha = np.where(DISK, opaque, rest).astype(np.uint8)
    return np.dstack((np.full((*SIZE, 3), colour, np.uint8), alpha))


BOTH = DISK | BOX
# What each file is, and the pixels it selects.
KINDS: dict[str, tuple[Callable[[], bytes], str, np.ndarray]] = {
    **{
        f"grey ids {id_}": (lambda id_=id_: encoded(grey(id_)), LABEL_MAP, DISK)
        for id_ in (2, 3, 8, 16, 64, 72, 124, 128, 200, 254)
    },
    **{
        f"palette ids {id_}": (
            lambda id_=id_: with_palette(grey(id_), voc_palette()),
            LABEL_MAP,
            DISK,
        )
        for id_ in (1, 8, 16, 64, 72, 128, 200, 255)
    },
    "grey, 255 ignored": (lambda: encoded(grey(3, 255)), LABEL_MAP, DISK),
    "grey ids 1, 7, 254": (lambda: encoded(grey(7, 254)), LABEL_MAP, BOTH),
    "grey ids 1 and ignored": (lambda: encoded(grey(1, 255)), LABEL_MAP, DISK),
    "palette, 255 ignored": (
        lambda: with_palette(grey(3, 255), voc_palette()),
        LABEL_MAP,
        DISK,
    ),
    "palette ids 0, 128, 255": (
        lambda: with_palette(grey(128, 255), voc_palette()),
        LABEL_MAP,
        DISK,
    ),
    "palette with clear background": (
        lambda: with_palette(grey(5, 9), voc_palette(), transparency=0),
        LABEL_MAP,
        BOTH,
    ),
    "palette of a cut-out, clear last": (
        lambda: with_palette(
            np.where(DISK, 0, 3).astype(np.uint8),
            [30, 20, 10, 9, 9, 9, 1, 2, 3, 0, 0, 0],
            transparency=3,
        ),
        ALPHA,
        DISK,
    ),
    "palette, white first": (
        lambda: with_palette(np.where(DISK, 0, 1).astype(np.uint8), [255] * 3 + [0] * 3),
        BINARY,
        DISK,
    ),
    "palette of a trimap": (
        lambda: with_palette(grey(2, 1), [0] * 3 + [128] * 3 + [255] * 3),
        TRIMAP,
        DISK,
    ),
    "palette of soft greys": (
        lambda: with_palette(SOFT, [v for i in range(256) for v in (i, i, i)]),
        LEVELS,
        SOFT > 124,
    ),
    "16 bits, ids": (lambda: encoded(grey(300, 7, np.uint16)), LABEL_MAP, BOTH),
    "16 bits, small ids": (lambda: encoded(grey(3, 9, np.uint16)), LABEL_MAP, BOTH),
    "16 bits, binary": (lambda: encoded(grey(65535, 0, np.uint16)), BINARY, DISK),
    "16 bits, trimap": (lambda: encoded(grey(65535, 128 * 257, np.uint16)), TRIMAP, DISK),
    "16 bits, soft": (lambda: encoded(SOFT.astype(np.uint16) * 257), LEVELS, SOFT > 124),
    "16 bits, RGB ids": (
        lambda: png(np.dstack([grey(3, 9, np.uint16)] * 3), 2, 16),
        LABEL_MAP,
        BOTH,
    ),
    "1 bit": (lambda: encoded(Image.fromarray(DISK)), BINARY, DISK),
    "2 bits": (lambda: encoded_low(2, 1, 3), LABEL_MAP, BOTH),
    "4 bits": (lambda: encoded_low(4, 3, 9), LABEL_MAP, BOTH),
    "0 and 1": (lambda: encoded(grey(1)), BINARY, DISK),
    "0 and 255": (lambda: encoded(grey(255)), BINARY, DISK),
    "all 255": (lambda: encoded(np.full(SIZE, 255, np.uint8)), BINARY, np.ones(SIZE, bool)),
    "RGB of equal channels": (lambda: encoded(np.dstack([grey(255)] * 3)), BINARY, DISK),
    "RGB of equal ids": (lambda: encoded(np.dstack([grey(4, 6)] * 3)), LABEL_MAP, BOTH),
    "red on black": (lambda: encoded(coloured((255, 0, 0))), LABEL_MAP, DISK),
    "dark colours": (lambda: encoded(coloured((30, 0, 0), (0, 0, 40))), LABEL_MAP, BOTH),
    "VOC colours": (
        lambda: encoded(coloured((64, 0, 0), (224, 224, 192))),
        LABEL_MAP,
        DISK,
    ),
    "red on white": (
        lambda: encoded(coloured((255, 0, 0), (0, 128, 0), (255, 255, 255))),
        LABEL_MAP,
        BOTH,
    ),
    "soft red on black": (
        lambda: encoded(np.dstack([SOFT, 0 * SOFT, 0 * SOFT])),
        LEVELS,
        SOFT > 124,
    ),
    "trimap": (lambda: encoded(grey(255, 128)), TRIMAP, DISK),
    "trimap of 127": (lambda: encoded(grey(255, 127)), TRIMAP, DISK),
    "trimap as BMP": (lambda: encoded(grey(255, 128), "BMP"), TRIMAP, DISK),
    "dark cut-out": (lambda: encoded(cutout((10, 10, 10))), ALPHA, DISK),
    "black cut-out": (lambda: encoded(cutout((0, 0, 0))), ALPHA, DISK),
    "faint overlay": (lambda: encoded(cutout((255, 0, 0), opaque=60)), ALPHA, DISK),
    "dimmed background": (lambda: encoded(cutout((9, 9, 9), 255, 140)), ALPHA, DISK),
    "grey cut-out": (
        lambda: encoded(Image.merge("LA", [Image.new("L", SIZE[::-1], 20), mask_image(DISK)])),
        ALPHA,
        DISK,
    ),
    "soft cut-out": (
        lambda: encoded(np.dstack((np.full((*SIZE, 3), 5, np.uint8), SOFT))),
        ALPHA,
        SOFT > 124,
    ),
    "opaque alpha": (
        lambda: encoded(np.dstack([grey(3, 9)] * 3 + [np.full(SIZE, 255, np.uint8)])),
        LABEL_MAP,
        BOTH,
    ),
    "constant alpha": (
        lambda: encoded(np.dstack([grey(255)] * 3 + [np.full(SIZE, 90, np.uint8)])),
        BINARY,
        DISK,
    ),
    "soft": (lambda: encoded(SOFT), LEVELS, SOFT > 124),
    "soft, blurred": (
        lambda: encoded(cv2.GaussianBlur(SOFT, (0, 0), 4)),
        LEVELS,
        cv2.GaussianBlur(SOFT, (0, 0), 4) > 124,
    ),
    "soft as WebP": (lambda: encoded(SOFT, "WEBP", lossless=True), LEVELS, SOFT > 124),
    "ids as WebP": (lambda: encoded(grey(3, 9), "WEBP", lossless=True), LABEL_MAP, BOTH),
    "ids as TIFF": (lambda: encoded(grey(3, 9), "TIFF"), LABEL_MAP, BOTH),
    "ids as GIF": (lambda: encoded(grey(3, 255), "GIF"), LABEL_MAP, DISK),
    "float 0 to 1": (lambda: encoded(SOFT.astype(np.float32) / 255, "TIFF"), LEVELS, SOFT > 124),
    "float ids": (lambda: encoded(grey(3, 9).astype(np.float32), "TIFF"), LABEL_MAP, BOTH),
    "float 0 and 255": (lambda: encoded(grey(255).astype(np.float32), "TIFF"), BINARY, DISK),
}


def mask_image(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)


def encoded_low(bits: int, disk: int, box: int) -> bytes:
    """A grey PNG of 2 or 4 bits, which Pillow cannot write."""
    values = grey(disk, box)
    packed = np.zeros((SIZE[0], SIZE[1] * bits // 8), np.uint8)
    for place in range(8 // bits):
        packed |= values[:, place :: 8 // bits] << (8 - bits * (place + 1))
    whole = png(packed, 0, bits)
    width = SIZE[1].to_bytes(4, "big")
    header = whole[:16] + width + whole[20:29]
    return header + zlib.crc32(header[12:29]).to_bytes(4, "big") + whole[33:]


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_read_by_its_kind(tmp_path: Path, name: str) -> None:
    make, kind, expected = KINDS[name]
    path = save(tmp_path / "mask.png", make())
    said: list[str] = []
    mask = read_mask(path, SIZE, notice=said.append)
    assert (mask.dtype, mask.shape) == (np.float32, SIZE)
    assert read_mask_file(path).kind == kind
    np.testing.assert_array_equal(mask > 0.49, expected)
    assert said[0].startswith(f"{path} was read as {kind}")
    # Training, calibration and evaluation see the same objects.
    np.testing.assert_array_equal(read_labels(path) > 0, expected)


@pytest.mark.parametrize("name", [n for n, (_, kind, _) in KINDS.items() if kind != LABEL_MAP])
def test_a_label_is_refused_where_there_are_none(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "mask.png", KINDS[name][0]())
    with pytest.raises(UsageError, match=r"was read as .*, which has no label 1: leave"):
        read_mask(path, SIZE, label=1)


@pytest.mark.parametrize(
    ("name", "disk", "ids"),
    [
        ("grey ids 3", 3, "3"),
        ("palette ids 200", 200, "200"),
        ("grey ids 1, 7, 254", 7, "7, 254"),
        ("16 bits, ids", 300, "7, 300"),
        ("2 bits", 1, "1, 3"),
        ("4 bits", 3, "3, 9"),
        ("VOC colours", 8, "8"),
        ("dark colours", 2, "1, 2"),
        ("float ids", 3, "3, 9"),
        ("palette with clear background", 5, "5, 9"),
    ],
)
def test_one_label_of_a_map(tmp_path: Path, name: str, disk: int, ids: str) -> None:
    path = save(tmp_path / "mask.png", KINDS[name][0]())
    said: list[str] = []
    np.testing.assert_array_equal(read_mask(path, SIZE, label=disk, notice=said.append), DISK)
    assert f"ids {ids}; {disk} is the object" in said[0]
    with pytest.raises(UsageError, match=f"has no label 77: choose one of {ids}"):
        read_mask(path, SIZE, label=77)


def test_ignored_pixels_are_no_object(tmp_path: Path) -> None:
    for name in ("trimap", "grey, 255 ignored", "VOC colours", "palette, 255 ignored"):
        path = save(tmp_path / "mask.png", KINDS[name][0]())
        assert (read_mask_file(path).labels[BOX] == IGNORED).all(), name
        assert not read_mask(path, SIZE)[BOX].any()
    path = save(tmp_path / "mask.png", KINDS["grey, 255 ignored"][0]())
    said: list[str] = []
    read_mask(path, SIZE, notice=said.append)
    assert "ids 3; all of them are the object, 255 is ignored." in said[0]
    with pytest.raises(UsageError, match="no label 255: choose one of 3"):
        read_mask(path, SIZE, label=255)


@pytest.mark.parametrize(
    "content",
    [
        encoded(grey(0)),
        with_palette(grey(0), voc_palette()),
        encoded(cutout((200, 200, 200), opaque=0)),
        encoded(coloured((0, 0, 0))),
        encoded(cv2.GaussianBlur(SOFT, (0, 0), 4) // 3, "TIFF"),
        encoded(SOFT.astype(np.float32) / 600, "TIFF"),
    ],
    ids=["grey", "palette", "clear", "RGB", "faint", "float"],
)
def test_a_file_that_selects_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImageError, match=r"was read as .* and selects nothing"):
        read_mask(save(tmp_path / "mask.png", content), SIZE)


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    with pytest.raises(ImageError, match=r"a picture of .* colours.*pass a label map"):
        read_mask(save(tmp_path / "photo.png", encoded(noise)), SIZE)
    photo = Image.fromarray(cv2.resize(noise[:12, :16], (80, 60))).quantize(256)
    with pytest.raises(ImageError, match=r"a picture of .* colours.*pass a label map"):
        read_mask(save(tmp_path / "photo.png", encoded(photo)), SIZE)
    for values in (grey(1).astype(np.float32) - 2, np.full(SIZE, np.nan, np.float32)):
        with pytest.raises(ImageError, match="float values outside 0 to 1"):
            read_mask(save(tmp_path / "float.tif", encoded(values, "TIFF")), SIZE)
    frames = [Image.fromarray(grey(255)), Image.fromarray(grey(0, 255))]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        with pytest.raises(ImageError, match="several frames"):
            read_mask(save(tmp_path / "mask.png", content), SIZE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["label map", "soft", "trimap"])
def test_masks_are_turned_as_photos_are(tmp_path: Path, orientation: int, name: str) -> None:
    upright = {"label map": grey(3, 9), "soft": SOFT, "trimap": grey(255, 128)}[name]
    path = save(
        tmp_path / "mask.png", encoded(stored(upright, orientation), exif=exif(orientation))
    )
    expected = SOFT > 124 if name == "soft" else DISK if name == "trimap" else BOTH
    np.testing.assert_array_equal(read_mask(path, SIZE) > 0.49, expected)


@pytest.mark.parametrize("ids", [40, 200, 254])
def test_many_ids_are_a_label_map_and_many_greys_are_not(tmp_path: Path, ids: int) -> None:
    rng = np.random.default_rng(ids)
    order = np.concatenate([rng.permutation(ids) + 1, np.zeros(256 - ids, int)])
    squares = np.kron(order.reshape(16, 16), np.ones((12, 12))).astype(np.uint8)
    squares[::12] = squares[:, ::12] = 0
    mask = read_mask_file(save(tmp_path / "ids.png", encoded(squares)))
    assert mask.kind == LABEL_MAP
    np.testing.assert_array_equal(mask.labels, squares)
    ramp = np.tile(np.linspace(0, 255, 256 * 6).astype(np.uint8), (20, 1))
    for values in (ramp, ramp.T):
        assert read_mask_file(save(tmp_path / "ramp.png", encoded(values))).kind == LEVELS


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("quality", [60, 80, 95])
def test_black_and_white_survives_lossy_files(tmp_path: Path, kind: str, quality: int) -> None:
    large = np.kron(DISK, np.ones((4, 4))).astype(np.uint8) * 255
    path = save(tmp_path / "mask.jpg", encoded(large, kind, quality=quality))
    found = read_mask(path, large.shape) > 0.49
    assert (found & (large > 0)).sum() / (found | (large > 0)).sum() > 0.98
    if kind == "JPEG":  # as PNG, with what the JPEG left around the edges
        again = save(tmp_path / "again.png", encoded(Image.open(path).convert("L")))
        np.testing.assert_array_equal(read_mask(again, large.shape) > 0.49, found)
