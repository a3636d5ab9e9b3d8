"""Odd and hostile photos and masks, and writing them."""

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ritm_edge import images
from ritm_edge.clicks import Click
from ritm_edge.errors import ImageError, InputFileError, OutputFileError, ShapeError, UsageError
from ritm_edge.images import read_mask, read_photo, write_image, write_mask
from ritm_edge.overlay import NEGATIVE, POSITIVE, overlay
from ritm_edge.samples import SAMPLE_CLICKS, sample_photo

# 24x16, a ramp of 0…4095 from left to right; written by libjpeg-turbo 3 in 12-bit mode.
JPEG_12_BIT_GREY = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsL"
    "EBYQERMUFRUVDA8XGBYUGBIUFRT/wQALDAAQABgBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAADA3/xAAaEAACAwEBAAAA"
    "AAAAAAAAAAAAC0eEwgcx/9oACAEBAAA/AAk6amDqWR2qmpg6lkdrJqPeG0skJUTUwdSyO1U1MHUsjtZNR7w2lk//2Q=="
)
CORNERS = np.zeros((40, 60, 3), np.uint8)  # every corner has its own colour
CORNERS[:20, :30], CORNERS[:20, 30:] = (250, 0, 0), (0, 250, 0)
CORNERS[20:, :30], CORNERS[20:, 30:] = (0, 0, 250), (250, 250, 250)


def png(pixels: np.ndarray, colour_type: int, bits: int, chunks: bytes = b"") -> bytes:
    """A PNG of any depth, which Pillow cannot write; big-endian samples."""
    height, width = pixels.shape[:2]
    kind = ">u2" if bits == 16 else "u1"
    rows = b"".join(b"\0" + row.astype(kind).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunks
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def tiff(pixels: np.ndarray, bits: int, orientation: int = 1) -> bytes:
    """An uncompressed TIFF with 12 or 16 bits per sample, rows packed and padded to bytes."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    strip = b""
    for row in pixels.reshape(height, -1):
        if bits == 16:
            strip += row.astype("<u2").tobytes()
        else:
            text = "".join(format(int(value), f"0{bits}b") for value in row)
            text += "0" * (-len(text) % 8)
            strip += int(text, 2).to_bytes(len(text) // 8, "big")
    values = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * channels),
        (259, 3, [1]),
        (262, 3, [1 if channels == 1 else 2]),
        (273, 4, [512]),  # the strip stands behind the directory
        (274, 3, [orientation]),
        (277, 3, [channels]),
        (278, 4, [height]),
        (279, 4, [len(strip)]),
    ]
    extra_at, extra, entries = 8 + 2 + 12 * len(values) + 4, b"", b""
    for tag, kind, numbers in values:
        raw = b"".join(struct.pack("<H" if kind == 3 else "<I", number) for number in numbers)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place, extra = struct.pack("<I", extra_at + len(extra)), extra + raw
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + place
    directory = struct.pack("<H", len(values)) + entries + bytes(4) + extra
    return (struct.pack("<2sHI", b"II", 42, 8) + directory).ljust(512, b"\0") + strip


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels a camera stores so that `orientation` shows `upright`."""
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),  # shown turned clockwise, so stored turned the other way
        7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](upright))


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_rotation_is_applied(tmp_path, orientation, suffix):
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(stored(CORNERS, orientation)).save(path, exif=exif(orientation), quality=95)

    photo = read_photo(path)

    assert photo.shape == (40, 60, 3)
    np.testing.assert_allclose(photo[8:12, 8:12].mean((0, 1)), (250, 0, 0), atol=8)
    np.testing.assert_allclose(photo[8:12, 48:52].mean((0, 1)), (0, 250, 0), atol=8)
    np.testing.assert_allclose(photo[28:32, 8:12].mean((0, 1)), (0, 0, 250), atol=8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiff_and_png_are_turned_once(tmp_path, orientation):
    raw = stored(CORNERS, orientation).astype(np.uint16) * 257
    tif = save(tmp_path / "photo.tif", tiff(raw, 16, orientation))
    exif_chunk = chunk(b"eXIf", exif(orientation).tobytes().removeprefix(b"Exif\0\0"))
    deep_png = save(tmp_path / "photo.png", png(raw, 2, 16, exif_chunk))

    np.testing.assert_array_equal(read_photo(tif), CORNERS)
    np.testing.assert_array_equal(read_photo(deep_png), CORNERS)


def test_damaged_exif_is_ignored(tmp_path):
    content = io.BytesIO()
    Image.fromarray(CORNERS).save(content, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_photo(save(tmp_path / "photo.jpg", content.getvalue())).shape == (40, 60, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = np.zeros((8, 8), np.uint8)
    grey[:, 4:] = 255
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    image.save(path)

    photo = read_photo(path)

    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, np.repeat(grey[..., None], 3, axis=2))


def test_transparent_parts_become_white(tmp_path):
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, 1, 3], rgba[:, 2, 3] = 128, 255
    path = tmp_path / "photo.png"
    Image.fromarray(rgba).save(path)

    row = read_photo(path)[0].astype(int)

    assert row[0].tolist() == [255, 255, 255]
    np.testing.assert_allclose(row[1], [227, 127, 127], atol=1)
    assert row[2].tolist() == [200, 0, 0]


def test_transparent_palette_entry_becomes_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "photo.png", transparency=0)
    assert read_photo(tmp_path / "photo.png").tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("marker", [True, False])
def test_cmyk_jpeg_with_and_without_adobe_marker(tmp_path, marker):
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[..., 0], ink[..., 3] = 255, 10  # cyan and a little black
    content = io.BytesIO()
    Image.fromarray(ink, "CMYK").save(content, "JPEG", quality=95)
    jpeg = content.getvalue()
    start = jpeg.index(b"\xff\xee")
    length = struct.unpack(">H", jpeg[start + 2 : start + 4])[0]
    assert jpeg[start + 4 : start + 9] == b"Adobe"
    if not marker:
        jpeg = jpeg[:start] + jpeg[start + 2 + length :]

    photo = read_photo(save(tmp_path / "photo.jpg", jpeg))

    np.testing.assert_allclose(photo[8, 8], (0, 245, 245), atol=3)


@pytest.mark.parametrize("top", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("kind", ["png grey", "png", "png alpha", "tiff", "tiff grey"])
def test_deep_files_are_scaled_by_their_depth(tmp_path, top, kind):
    ramp = np.linspace(0, top, 16).round().astype(np.uint16)[None].repeat(4, 0)
    colour = np.stack([ramp, ramp[:, ::-1], ramp // 2], -1)
    grey = kind.endswith("grey")
    if kind == "png grey":
        content = png(ramp, 0, 16)
    elif kind == "png":
        content = png(colour, 2, 16)
    elif kind == "png alpha":
        content = png(np.concatenate([colour, np.full((4, 16, 1), 65535)], -1), 6, 16)
    else:
        content = tiff(ramp if grey else colour, 16)
    path = save(tmp_path / f"photo.{kind[:3]}", content)

    photo = read_photo(path)

    expected = np.stack([ramp] * 3, -1) if grey else colour
    np.testing.assert_allclose(photo, expected * (255 / top), atol=1)


def test_deep_grey_with_alpha(tmp_path):
    pixels = np.zeros((1, 2, 2), np.uint16)
    pixels[..., 0] = 30000
    pixels[0, 1, 1] = 65535
    photo = read_photo(save(tmp_path / "photo.png", png(pixels, 4, 16)))
    assert photo.tolist() == [[[255] * 3, [117] * 3]]


@pytest.mark.parametrize("channels", [1, 3])
def test_packed_12_bit_tiff(tmp_path, channels):
    ramp = np.linspace(0, 4095, 15).round().astype(np.uint16)[None].repeat(4, 0)
    pixels = ramp if channels == 1 else np.stack([ramp, ramp[:, ::-1], ramp // 2], -1)

    photo = read_photo(save(tmp_path / "photo.tif", tiff(pixels, 12)))

    expected = np.stack([ramp] * 3, -1) if channels == 1 else pixels
    np.testing.assert_allclose(photo, expected * (255 / 4095), atol=1)


def test_12_bit_greyscale_jpeg(tmp_path):
    photo = read_photo(save(tmp_path / "photo.jpg", JPEG_12_BIT_GREY))
    assert photo.shape == (16, 24, 3)
    np.testing.assert_allclose(photo[8, :, 0], np.linspace(0, 255, 24), atol=2)


def test_12_bit_greyscale_jpeg_is_turned(tmp_path):
    block = exif(6).tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    jpeg = JPEG_12_BIT_GREY[:2] + segment + JPEG_12_BIT_GREY[2:]
    photo = read_photo(save(tmp_path / "photo.jpg", jpeg))
    assert photo.shape == (24, 16, 3)
    np.testing.assert_allclose(photo[:, 8, 0], np.linspace(0, 255, 24), atol=2)


def test_12_bit_colour_jpeg_is_refused_in_words(tmp_path):
    frame = struct.pack(">BHHB", 12, 16, 24, 3) + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
    jpeg = b"\xff\xd8\xff\xc1" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"
    with pytest.raises(ImageError, match="12-bit colour JPEG"):
        read_photo(save(tmp_path / "photo.jpg", jpeg))


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "photo.png")
    assert read_photo(tmp_path / "photo.png").tolist() == [[[1, 2, 3]]]


def test_every_cut_of_a_file_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP"):
        content = io.BytesIO()
        noise.save(content, kind)
        whole = content.getvalue()
        for share in (0.02, 0.3, 0.6, 0.9):
            path = save(tmp_path / f"cut.{kind.lower()}", whole[: int(len(whole) * share)])
            with pytest.raises(ImageError, match="cut"):
                read_photo(path)


def test_cut_deep_files_are_refused(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 40, 3)).astype(np.uint16)
    for name, content in (
        ("a.png", png(pixels, 2, 16)),
        ("a.tif", tiff(pixels, 16)),
        ("b.tif", tiff(pixels >> 4, 12)),
        ("a.jpg", JPEG_12_BIT_GREY),
    ):
        for share in (0.2, 0.5, 0.8):
            with pytest.raises(ImageError):
                read_photo(save(tmp_path / name, content[: int(len(content) * share)]))


def test_bytes_changed_at_random_never_escape_as_other_errors(tmp_path):
    rng = np.random.default_rng(1)
    content = io.BytesIO()
    Image.fromarray(CORNERS).save(content, "TIFF", compression="tiff_lzw")
    originals = [content.getvalue(), JPEG_12_BIT_GREY, tiff(CORNERS.astype(np.uint16), 16)]
    refused = 0
    for original in originals:
        for _ in range(40):
            damaged = bytearray(original)
            for place in rng.integers(0, len(damaged), 6):
                damaged[place] = rng.integers(0, 256)
            try:
                assert read_photo(save(tmp_path / "p", bytes(damaged))).dtype == np.uint8
            except ImageError:
                refused += 1
    assert refused > 10


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    header = struct.pack(">IIBBBBB", 10_001, 10_000, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    with pytest.raises(ImageError, match="100 million"):
        read_photo(save(tmp_path / "large.png", start))
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    with pytest.raises(ImageError, match="limit"):
        read_photo(save(tmp_path / "bomb.png", start))


def test_the_size_limit_holds_for_12_bit_files(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 10)
    pixels = np.zeros((4, 4, 3), np.uint16)
    for name, content in (("p.tif", tiff(pixels, 12)), ("p.jpg", JPEG_12_BIT_GREY)):
        with pytest.raises(ImageError, match="pixels; the limit"):
            read_photo(save(tmp_path / name, content))


def test_things_that_are_no_photos(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        read_photo(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="folder"):
        read_photo(tmp_path)
    with pytest.raises(ImageError, match="empty"):
        read_photo(save(tmp_path / "empty.jpg", b""))
    with pytest.raises(ImageError, match="known kind"):
        read_photo(save(tmp_path / "text.jpg", b"these are words, not pixels\n" * 20))
    with pytest.raises(ImageError, match="known kind"):  # would start Ghostscript
        read_photo(save(tmp_path / "p.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"))
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="plain file"):
        read_photo(tmp_path / "pipe.jpg")


def test_float_photos_are_refused_and_float_masks_read(tmp_path):
    values = np.array([[0, 0.25], [0.5, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="black and white"):
        read_photo(tmp_path / "float.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "float.tif", (2, 2)), values)
    Image.fromarray(values * 3).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="outside 0 to 1"):
        read_mask(tmp_path / "float.tif", (2, 2))


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_masks_of_any_range(tmp_path, top):
    values = np.array([[0, top, 0], [top, top, 0]])
    kind = np.uint8 if top < 256 else np.uint16
    Image.fromarray(values.astype(kind)).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png", (2, 3))
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask, values / top)


def test_soft_and_coloured_and_transparent_masks(tmp_path):
    Image.fromarray(np.array([[0, 51, 255]], np.uint8)).save(tmp_path / "soft.png")
    np.testing.assert_allclose(read_mask(tmp_path / "soft.png", (1, 3)), [[0, 0.2, 1]])
    Image.fromarray(np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)).save(tmp_path / "red.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "red.png", (1, 2)), [[0, 1]])
    clear = np.array([[[255, 255, 255, 0], [255, 255, 255, 255]]], np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "clear.png", (1, 2)), [[0, 1]])


def test_mask_of_another_size_names_both(tmp_path):
    write_mask(tmp_path / "mask.png", np.ones((3, 4), bool))
    with pytest.raises(ShapeError, match=r"3x4.*5x6"):
        read_mask(tmp_path / "mask.png", (5, 6))


@pytest.mark.parametrize("suffix", images.MASK_SUFFIXES)
def test_masks_survive_writing(tmp_path, suffix):
    mask = np.random.default_rng(0).random((17, 23)) > 0.5
    path = tmp_path / f"mask{suffix}"
    write_mask(path, mask)
    assert set(np.unique(read_photo(path))) == {0, 255}
    np.testing.assert_array_equal(read_mask(path, mask.shape), mask)
    if suffix == ".png":
        assert Image.open(path).mode == "L"


def test_unusable_outputs(tmp_path):
    mask = np.zeros((4, 4), bool)
    with pytest.raises(UsageError, match="jpg"):
        write_mask(tmp_path / "mask.jpg", mask)
    with pytest.raises(UsageError, match="xyz"):
        write_image(tmp_path / "photo.xyz", CORNERS)
    with pytest.raises(ShapeError):
        write_mask(tmp_path / "mask.png", CORNERS)
    with pytest.raises(ShapeError):
        write_image(tmp_path / "photo.png", CORNERS.astype(np.float32))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputFileError):
        write_mask(tmp_path / "file" / "mask.png", mask)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_images_survive_writing(tmp_path):
    write_image(tmp_path / "photo.png", CORNERS)
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png"), CORNERS)
    write_image(tmp_path / "photo.JPG", CORNERS)
    np.testing.assert_allclose(read_photo(tmp_path / "photo.JPG")[5, 5], (250, 0, 0), atol=4)


def test_overlay_shows_object_and_clicks():
    photo = np.full((200, 300, 3), 100, np.uint8)
    mask = np.zeros((200, 300), bool)
    mask[40:160, 60:240] = True
    clicks = [Click(100, 150), Click(20.25, 20.75, positive=False, order=1)]

    picture = overlay(photo, mask, clicks)

    assert picture.shape == photo.shape
    assert (photo == 100).all()
    assert picture[100, 150].tolist() == list(POSITIVE)
    assert picture[20, 21].tolist() == list(NEGATIVE)
    background, inside = picture[190, 150].astype(int), picture[60, 100].astype(int)
    assert background.max() < 100
    assert inside[2] - inside[0] > 40  # tinted blue
    assert abs(picture[40, 150].astype(int) - inside).max() > 20  # contour


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2)])
def test_overlay_of_tiny_pictures(size):
    picture = overlay(np.zeros((*size, 3), np.uint8), np.ones(size, bool), [Click(0, 0)])
    assert picture.shape == (*size, 3)


def test_overlay_refuses_other_sizes():
    with pytest.raises(ShapeError, match=r"\[4, 4\]"):
        overlay(np.zeros((5, 5, 3), np.uint8), np.zeros((4, 4), bool))


def test_sample_photo_and_clicks():
    photo = read_photo(sample_photo())
    assert photo.shape == (400, 600, 3)
    assert photo.std() > 30
    assert all(0 <= c.row < 400 and 0 <= c.column < 600 for c in SAMPLE_CLICKS)
    assert "CC0" in (sample_photo().parent / "SOURCE.md").read_text()
