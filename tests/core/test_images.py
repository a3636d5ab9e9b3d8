"""Odd and hostile photos."""

import base64
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from ritm_edge.errors import ImageError, InputFileError, data_warnings
from ritm_edge.imaging import images, jpeg
from ritm_edge.imaging.images import read_mask, read_photo

from .image_files import CORNERS, chunk, exif, png, save, stored, tiff

# 24x16, written by libjpeg-turbo 3 in 12-bit mode.
JPEG_12_BIT_GREY = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsL"
    "EBYQERMUFRUVDA8XGBYUGBIUFRT/wQALDAAQABgBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAADA3/xAAaEAACAwEBAAAA"
    "AAAAAAAAAAAAC0eEwgcx/9oACAEBAAA/AAk6amDqWR2qmpg6lkdrJqPeG0skJUTUwdSyO1U1MHUsjtZNR7w2lk//2Q=="
)


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


def frame_header(bits, channels):
    layers = b"".join(bytes([number + 1, 17, 0]) for number in range(channels))
    return segment(0xC1, struct.pack(">BHHB", bits, 16, 24, channels) + layers)


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


TABLES = segment(0xC4, bytes(20))  # among the markers of frame headers, and none


@pytest.mark.parametrize(
    "content",
    [
        JPEG_12_BIT_GREY,
        JPEG_12_BIT_GREY[:2] + segment(0xE1, exif(6).tobytes()) + JPEG_12_BIT_GREY[2:],
        JPEG_12_BIT_GREY[: len(JPEG_12_BIT_GREY) // 2 + 40],
        b"\xff\xd8" + TABLES + frame_header(12, 3) + b"\xff\xd9",
    ],
    ids=["grey", "turned", "cut", "colour"],
)
def test_a_12_bit_jpeg_is_refused_in_words(tmp_path, content):
    path = save(tmp_path / "photo.jpg", content)
    for read in (read_photo, lambda p: read_mask(p, (16, 24))):
        with pytest.raises(ImageError, match=r"photo\.jpg is a 12-bit JPEG.*: save it") as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr", "CMYK"])
def test_a_jpeg_inside_a_tiff_is_read(tmp_path, mode):
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8)[None].repeat(48, 0)
    Image.fromarray(ramp).convert(mode).save(tmp_path / "photo.tif", compression="jpeg")
    assert Image.open(tmp_path / "photo.tif").info["compression"] == "jpeg"
    np.testing.assert_allclose(read_photo(tmp_path / "photo.tif")[..., 1], ramp, atol=4)


@pytest.mark.parametrize("compression", [6, 7])
def test_a_12_bit_colour_jpeg_inside_a_tiff_is_refused_in_words(tmp_path, compression):
    content = tiff(np.zeros((8, 8, 3), np.uint16), 12)
    marked = content.replace(
        struct.pack("<HHI", 259, 3, 1) + b"\x01",
        struct.pack("<HHI", 259, 3, 1) + bytes([compression]),
    )
    assert marked != content
    with pytest.raises(ImageError, match=r"photo\.tif holds a 12-bit colour JPEG"):
        read_photo(save(tmp_path / "photo.tif", marked))


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
    with pytest.raises(ImageError, match="pixels; the limit"):
        read_photo(save(tmp_path / "p.tif", tiff(np.zeros((4, 4, 3), np.uint16), 12)))


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
    with pytest.raises(InputFileError, match="pipe or a device"):
        read_photo(tmp_path / "pipe.jpg")


def test_float_photos_are_refused_and_float_masks_read(tmp_path):
    values = np.array([[0, 0.25], [0.5, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="without a known range of brightness"):
        read_photo(tmp_path / "float.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "float.tif", (2, 2)), values)
    Image.fromarray(values * 3).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="outside 0 to 1"):
        read_mask(tmp_path / "float.tif", (2, 2))


def jpeg_of_noise(**options: object) -> bytes:
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    content = io.BytesIO()
    small.resize((128, 96)).save(content, "JPEG", quality=90, **options)
    return content.getvalue()


JPEG_KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 1},
    "whole colour": {"subsampling": 0, "optimize": True},
    "with a preview": {"exif": exif(1), "comment": b"\xff\xd9 is no end here"},
}


@pytest.mark.parametrize("kind", JPEG_KINDS)
def test_a_jpeg_without_its_end_marker_is_read_and_a_shorter_one_is_not(tmp_path, kind):
    whole = jpeg_of_noise(**JPEG_KINDS[kind])
    assert whole.endswith(b"\xff\xd9")
    expected = read_photo(save(tmp_path / "whole.jpg", whole))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_photo(save(tmp_path / "a.jpg", whole[:-2])), expected)
        np.testing.assert_array_equal(read_photo(save(tmp_path / "a.jpg", whole[:-1])), expected)
    for missing in (6, 12, 40, 400, len(whole) // 2):
        with pytest.raises(ImageError, match="truncated"):
            read_photo(save(tmp_path / "a.jpg", whole[:-missing]))
    # What cameras write behind the picture is no damage.
    trailer = save(tmp_path / "a.jpg", whole + bytes(50) + b"trailer")
    np.testing.assert_array_equal(read_photo(trailer), expected)


@pytest.mark.parametrize("kind", JPEG_KINDS)
def test_the_warning_of_a_jpeg_decoder_is_passed_on(tmp_path, kind, capfd):
    whole = jpeg_of_noise(**JPEG_KINDS[kind])
    warned = 0
    for place in range(900, len(whole) - 100, 150):
        path = save(tmp_path / "a.jpg", whole[:place] + bytes(40) + whole[place + 40 :])
        with data_warnings() as texts, suppress(ImageError):  # a progressive one may be beyond it
            assert read_photo(path).shape == (96, 128, 3)
        assert all(f"{path} may be damaged" in text for text in texts)
        warned += len(texts)
    assert warned > 3
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("place", range(800, 3000, 200))
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_zeroed_bytes_are_noticed_where_the_decoder_is_silent(tmp_path, place, options):
    whole = jpeg_of_noise(**options)
    path = save(tmp_path / "a.jpg", whole[:place] + bytes(64) + whole[place + 64 :])
    with data_warnings() as texts:
        read_photo(path)
    assert len(texts) == 1
    assert f"{path} may be damaged" in texts[0]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("optimize", [False, True])
def test_flat_photos_are_not_taken_for_damaged(tmp_path, mode, optimize):
    large = np.zeros((900, 1200, 3), np.uint8)
    large[300:400, 500:600] = 200
    Image.fromarray(large).convert(mode).save(tmp_path / "a.jpg", optimize=optimize)
    with data_warnings() as texts:
        read_photo(tmp_path / "a.jpg")
    assert texts == []


def test_decoders_in_threads_leave_stderr_as_it_was(tmp_path, capfd):
    whole = jpeg_of_noise(restart_marker_rows=1)
    path = save(tmp_path / "a.jpg", whole[:1500] + b"\xff\xd3" + whole[1500:])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: jpeg.read_whole(path)[1], range(40)))
    assert len(set(found)) == 1
    assert found[0].startswith("Corrupt JPEG data")
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_a_closed_stderr_costs_the_warning_only(tmp_path):
    save(tmp_path / "a.jpg", jpeg_of_noise())
    code = (
        "import os; os.close(2); from ritm_edge.imaging.images import read_photo; "
        "read_photo('a.jpg')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_a_missing_function_of_opencv_is_not_called_damage(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", png(np.zeros((4, 4, 3), np.uint16), 2, 16))
    assert read_photo(path).shape == (4, 4, 3)
    monkeypatch.delattr("cv2.imdecode")
    with pytest.raises(AttributeError, match="imdecode"):
        read_photo(path)
