"""`ritm-edge predict`, with the real model at its smallest cost: a small photo, random weights."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from ritm_edge.cli import predict
from ritm_edge.cli.predict import check_outputs, parse_clicks, write_all
from ritm_edge.clicks import Click
from ritm_edge.errors import (
    CheckpointError,
    ClickError,
    ImageError,
    InputFileError,
    OutputFileError,
    RitmEdgeError,
    ShapeError,
    UsageError,
)
from ritm_edge.imaging.images import read_mask, read_photo
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.checkpoint import save_checkpoint
from ritm_edge.model.ritm import build_model
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.session.interactive import InteractiveSession

from ..models import spread_outputs
from ..runtimes import FakeRuntime
from .image_files import write_mask

HEIGHT, WIDTH = 48, 64
pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.pth"
    model = build_model("hrnet18s").eval()
    spread_outputs(model)
    save_checkpoint(model, path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a photo in it."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "photo.png")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(predict.command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fails(kind: type[RitmEdgeError], *arguments: str | Path) -> str:
    """Run, expect an error of exactly this kind and no new file; return its message."""
    before = sorted(Path.cwd().rglob("*"))
    result = run(*arguments)
    assert type(result.exception) is kind, result.exception or result.output
    assert sorted(Path.cwd().rglob("*")) == before
    return str(result.exception)


def test_mask_and_overlay_at_photo_size(checkpoint):
    result = run(
        *("photo.png", "--click", "20,30", "--click", "5.5,6.25,neg", "--checkpoint", checkpoint),
        *("-o", "out/mask.png", "--overlay", "out/seen.jpg", "--threads", "1", "--json"),
    )

    assert result.exit_code == 0, result.exception
    values = json.loads(result.stdout)
    session = InteractiveSession(open_runtime(checkpoint, threads=1))
    session.set_image(read_photo("photo.png"))
    session.click(20, 30)
    expected = session.click(5.5, 6.25, positive=False)
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(read_mask("out/mask.png", (HEIGHT, WIDTH)), expected)
    assert read_photo("out/seen.jpg").shape == (HEIGHT, WIDTH, 3)
    assert (values["height"], values["width"]) == (HEIGHT, WIDTH)
    assert values["object_pixels"] == expected.sum()
    assert values["object_share"] == pytest.approx(expected.mean())
    assert values["runtime"] == "pytorch"
    assert [(c["row"], c["column"], c["positive"]) for c in values["clicks"]] == [
        (20, 30, True),
        (5.5, 6.25, False),
    ]
    assert all(c["ms"] > 0 for c in values["clicks"])
    assert (values["mask"], values["overlay"]) == ("out/mask.png", "out/seen.jpg")


def test_default_output_stands_in_the_working_folder(folder, checkpoint):
    (folder / "elsewhere").mkdir()
    (folder / "photo.png").rename(folder / "elsewhere" / "photo.png")
    result = run("elsewhere/photo.png", "--click", "20,30", "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.exception
    assert "48 x 64" in result.stdout
    assert "photo.mask.png" in result.stdout
    assert read_photo("photo.mask.png").shape == (HEIGHT, WIDTH, 3)


def test_clicks_count_on_the_photo_as_seen(checkpoint):
    upright = Image.open("photo.png")
    data = Image.Exif()
    data[0x0112] = 6
    upright.rotate(90, expand=True).save("turned.png", exif=data)
    for name in ("photo.png", "turned.png"):
        result = run(
            *(name, "--click", "40,60", "--checkpoint", checkpoint, "--threads", "1"),
            *("-o", f"{name}.mask.png"),
        )
        assert result.exit_code == 0, result.exception
    size = (HEIGHT, WIDTH)
    np.testing.assert_array_equal(
        read_mask("turned.png.mask.png", size), read_mask("photo.png.mask.png", size)
    )


def test_starts_from_a_mask(checkpoint):
    given = np.zeros((HEIGHT, WIDTH), bool)
    given[10:40, 10:50] = True
    write_mask("in.png", given)

    common = ("photo.png", "--checkpoint", checkpoint, "--threads", "1", "--mask", "in.png")
    result = run(*common, "-o", "same.png")
    assert result.exit_code == 0, result.exception
    np.testing.assert_array_equal(read_mask("same.png", given.shape), given)
    assert "no click" in result.stderr

    result = run(*common, "--click", "20,30", "-o", "more.png")
    assert result.exit_code == 0, result.exception
    session = InteractiveSession(open_runtime(checkpoint, threads=1))
    session.set_image(read_photo("photo.png"))
    session.set_mask(given)
    expected = session.click(20, 30)
    np.testing.assert_array_equal(read_mask("more.png", given.shape), expected)


def test_one_label_of_a_map(checkpoint):
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[5:15, 5:25], labels[20:40, 30:60], labels[0] = 3, 7, 255
    Image.fromarray(labels).save("ids.png")
    common = ("photo.png", "--checkpoint", checkpoint, "--threads", "1", "--mask", "ids.png")
    result = run(*common, "-o", "all.png")
    assert result.exit_code == 0, result.exception
    sentence = "ids.png was read as a label map with ids 3, 7; all of them are the object, 255 is"
    assert sentence in result.stderr
    np.testing.assert_array_equal(read_mask("all.png", labels.shape), np.isin(labels, (3, 7)))

    result = run(*common, "--mask-label", "7", "--json", "-o", "one.png")
    assert result.exit_code == 0, result.exception
    assert "ids 3, 7; 7 is the object" in json.loads(result.stdout)["start_mask_read_as"]
    np.testing.assert_array_equal(read_mask("one.png", labels.shape), labels == 7)

    assert "choose one of 3, 7" in fails(UsageError, *common, "--mask-label", "4")
    write_mask("binary.png", labels == 3)
    binary = (*common[:-1], "binary.png", "--mask-label", "1")
    assert "a binary mask, which has no label" in fails(UsageError, *binary)
    alone = ("photo.png", "--click", "1,1", "--mask-label", "3")
    assert "pass one with --mask" in fails(UsageError, *alone)
    write_mask("nothing.png", labels == 9)
    assert "selects nothing" in fails(ImageError, *common[:-1], "nothing.png")


@pytest.mark.parametrize("mode", ["1x1", "L", "RGBA", "CMYK", "16 bit"])
def test_odd_photos_are_handled(checkpoint, mode):
    photo = Image.open("photo.png")
    name = "odd.jpg" if mode == "CMYK" else "odd.png"
    if mode == "1x1":
        photo.resize((1, 1)).save(name)
    elif mode == "16 bit":
        Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 16).save(name)
    else:
        photo.convert(mode).save(name)
    result = run(name, "--click", "0,0", "--checkpoint", checkpoint, "-o", "m.png")
    assert result.exit_code == 0, result.exception
    size = (1, 1) if mode == "1x1" else (HEIGHT, WIDTH)
    assert read_photo("m.png").shape[:2] == size  # the mask may be empty


@pytest.mark.parametrize(
    ("text", "click"),
    [
        ("120,200", Click(120, 200)),
        (" 1.5 , 2.25 ", Click(1.5, 2.25)),
        ("40,60,neg", Click(40, 60, False)),
        ("40, 60, POS ", Click(40, 60)),
        ("-3,4", Click(-3, 4)),  # its place is the session's matter
    ],
)
def test_click_syntax(text, click):
    assert parse_clicks([text]) == [click]


def test_clicks_keep_their_order():
    clicks = parse_clicks(["1,2", "3,4,neg", "5,6"])
    assert [click.order for click in clicks] == [0, 1, 2]


@pytest.mark.parametrize(
    "text", ["", "120", "120;200", "a,b", "1,2,maybe", "1,2,pos,3", "nan,1", "1,inf", ",", "1,,neg"]
)
def test_wrong_click_syntax(text):
    with pytest.raises(ClickError, match="ROW,COLUMN") as caught:
        parse_clicks([text])
    assert f"'{text}'" in str(caught.value)


def test_the_column_comes_first_with_at(checkpoint):
    assert parse_clicks(["7,5,neg"], column_first=True) == [Click(5, 7, False)]
    with pytest.raises(ClickError, match="X,Y,neg"):
        parse_clicks(["7;5"], column_first=True)
    for option, text, output in (("--click", "5,60", "a.png"), ("--at", "60,5", "b.png")):
        assert (
            run("photo.png", option, text, "--checkpoint", checkpoint, "-o", output).exit_code == 0
        )
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    message = fails(ClickError, "photo.png", "--click", "60,5", "--checkpoint", checkpoint)
    assert "row 60.0, column 5.0" in message
    assert "rows count from the top" in message


def test_wrong_arguments():
    assert "--click" in fails(UsageError, "photo.png")
    fails(ClickError, "photo.png", "--click", "here")
    message = fails(
        UsageError, "photo.png", "--click", "1,1", "--artifact", "a", "--checkpoint", "b"
    )
    assert "--artifact" in message


def test_wrong_photos(checkpoint):
    click = ("--click", "1,1", "--checkpoint", checkpoint)
    assert "missing.jpg" in fails(InputFileError, "missing.jpg", *click)
    Path("cut.png").write_bytes(Path("photo.png").read_bytes()[:500])
    fails(ImageError, "cut.png", *click)
    Path("words.jpg").write_text("not a photo")
    fails(ImageError, "words.jpg", *click)


def test_wrong_masks(checkpoint):
    write_mask("other.png", np.zeros((5, 6), bool))
    message = fails(ShapeError, "photo.png", "--mask", "other.png", "--checkpoint", checkpoint)
    assert "5x6" in message
    assert "48x64" in message
    fails(InputFileError, "photo.png", "--mask", "missing.png", "--checkpoint", checkpoint)


def test_wrong_models():
    click = ("photo.png", "--click", "1,1")
    fails(InputFileError, *click, "--checkpoint", "missing.pth")
    fails(InputFileError, *click, "--artifact", "photo.png")

    class Hostile:
        def __reduce__(self):
            return Path.touch, (Path("executed"),)

    Path("hostile.pth").write_bytes(pickle.dumps(Hostile()))
    fails(CheckpointError, *click, "--checkpoint", "hostile.pth")
    assert not Path("executed").exists()


def test_clicks_outside_the_photo(checkpoint):
    message = fails(
        ClickError,
        *("photo.png", "--click", "1,1", "--click", "48,10", "--checkpoint", checkpoint),
        *("-o", "new/mask.png", "--overlay", "new/seen.png"),
    )
    assert "48" in message


def test_more_clicks_than_the_graph_has_slots(monkeypatch):
    class TwoSlots(FakeRuntime):
        spec = IOSpec(48, 64, max_clicks=2)

        def run(self, _inputs):
            return {"mask": np.full((1, 1, 48, 64), 0.9, np.float32)}

    monkeypatch.setattr("ritm_edge.runtimes.base.open_runtime", lambda *_, **__: TwoSlots())
    clicks = ("photo.png", "--artifact", "two.onnx", "--click", "1,1", "--click", "2,2")
    assert "--max-clicks 3" in fails(ClickError, *clicks, "--click", "3,3")
    result = run(*clicks, "--click", "3,3,neg")
    assert result.exit_code == 0, result.exception


def test_inputs_are_never_overwritten(checkpoint):
    write_mask("in.png", np.zeros((HEIGHT, WIDTH), bool))
    Path("link.png").symlink_to("photo.png")
    Path("hard.png").hardlink_to("photo.png")
    content = Path("photo.png").read_bytes()
    common = ("photo.png", "--click", "1,1", "--checkpoint", checkpoint, "--mask", "in.png")
    for name in ("photo.png", "./photo.png", "link.png", "hard.png", "in.png"):
        assert "overwritten" in fails(UsageError, *common, "-o", name)
        assert "overwritten" in fails(UsageError, *common, "--overlay", name)
    assert Path("photo.png").read_bytes() == content


def test_unusable_outputs(checkpoint):
    common = ("photo.png", "--click", "1,1", "--checkpoint", checkpoint)
    fails(UsageError, *common, "-o", "mask.jpg")
    fails(UsageError, *common, "--overlay", "seen.txt")
    fails(UsageError, *common, "-o", "same.png", "--overlay", "./same.png")
    Path("folder.png").mkdir()
    assert "folder" in fails(OutputFileError, *common, "-o", "folder.png")
    fails(OutputFileError, *common, "-o", "photo.png/mask.png")
    fails(OutputFileError, *common, "-o", "ok.png", "--overlay", "photo.png/seen.png")
    assert Path("folder.png").is_dir()


def test_unwritable_folder(monkeypatch):
    monkeypatch.setattr("os.access", lambda _path, _mode: False)  # root may write anywhere
    with pytest.raises(OutputFileError, match=r"mask\.png"):
        check_outputs(Path("mask.png"), None, inputs=[])


def test_writes_all_or_nothing(folder):
    Path("a.png").write_bytes(b"old")
    with pytest.raises(OutputFileError):
        write_all({Path("a.png"): b"new", Path("photo.png/b.png"): b"new"})
    assert Path("a.png").read_bytes() == b"old"
    assert sorted(p.name for p in folder.iterdir()) == ["a.png", "photo.png"]
    write_all({Path("a.png"): b"new", Path("b.png"): b"too"})
    assert (Path("a.png").read_bytes(), Path("b.png").read_bytes()) == (b"new", b"too")


def test_importing_the_command_is_light():
    heavy = ("numpy", "cv2", "PIL", "torch")
    code = (
        "import sys, ritm_edge.cli.predict, ritm_edge.cli.bench\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
