"""Commands at a place: found or explained, the file sent once, lost devices reached again."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")

from ritm_edge.cli.main import app
from ritm_edge.devices import adb as adb_module
from ritm_edge.devices.adb import Phone as AdbPhone
from ritm_edge.devices.browser import Browser
from ritm_edge.devices.device import Device
from ritm_edge.devices.places import open_place
from ritm_edge.devices.remote import RemoteRuntime
from ritm_edge.errors import DeviceError, InputFileError, UsageError
from ritm_edge.runtimes.base import ModelFile, open_runtime
from ritm_edge.samples import sample_photo
from ritm_edge.web import site

from . import tflite_build
from .stand_in_device import Phone, StandIn


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tflite_build.write(tmp_path / "mean.tflite")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "device"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def grabcut(tmp_path: Path) -> Path:
    for number in range(3):
        for folder, name in (("data_GT", f"{number}.png"), ("boundary_GT", f"{number}.bmp")):
            (tmp_path / "GrabCut" / folder).mkdir(parents=True, exist_ok=True)
            picture = np.zeros((60, 90), np.uint8)
            picture[20 : 40 + number, 30:60] = 255
            assert cv2.imwrite(str(tmp_path / "GrabCut" / folder / name), picture)
    return tmp_path / "GrabCut"


def invoke(*arguments: object):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_file_goes_over_once_and_an_image_only_when_it_is_new(model, kept):
    stand_in = StandIn(kept)
    phone, here = Phone(kept, stand_in), open_runtime(model)
    with open_place("adb:R58M") as device:
        for _ in range(2):
            with RemoteRuntime(ModelFile(model, threads=3), device) as remote:
                assert remote.open() == 12.5
                assert remote.info == here.info
                assert (remote.sha256, remote.spec) == (here.sha256, here.spec)
                assert (remote.engine, remote.threads, remote.place) == (
                    "stand-in 1",
                    2,
                    "adb:R58M",
                )
                for seed in (0, 1, 0, 1, 0, 2, 3, 4, 5, 0):
                    mask = remote.run(tflite_build.inputs(seed))["mask"]
                    np.testing.assert_array_equal(mask, here.run(tflite_build.inputs(seed))["mask"])
                figures = remote.figures()
                assert figures["runs"] == 10
                assert figures["device"] == "a stand-in"
                assert 0 <= figures["inference_ms"] < 1000
                assert remote.memory() == 50_000_000
    phone.close()
    assert stand_in.log.count("put") == 1
    assert stand_in.log.count("close") == 2
    assert stand_in.sent_images == 2 * 7
    assert stand_in.models == {}
    log = (kept / "adb.log").read_text()
    assert "-s R58M forward tcp:0 localabstract:ritm-edge" in log
    assert "-s R58M forward --remove tcp:" in log


def test_threads_take_turns(model, kept):
    phone, here = Phone(kept, StandIn(kept)), open_runtime(model)
    expected = [here.run(tflite_build.inputs(seed))["mask"] for seed in range(6)]
    with open_place("adb") as device, RemoteRuntime(ModelFile(model), device) as remote:
        remote.open()
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda n: remote.run(tflite_build.inputs(n % 6))["mask"], range(60))
            for number, mask in enumerate(found):
                np.testing.assert_array_equal(mask, expected[number % 6])
    phone.close()


def test_a_device_need_not_keep_images(model, kept):
    stand_in = StandIn(kept, forgetful=True)
    phone, here = Phone(kept, stand_in), open_runtime(model)
    with open_place("adb") as device, RemoteRuntime(ModelFile(model), device) as remote:
        remote.open()
        for seed in (0, 0, 1):
            mask = remote.run(tflite_build.inputs(seed))["mask"]
            np.testing.assert_array_equal(mask, here.run(tflite_build.inputs(seed))["mask"])
    phone.close()
    assert stand_in.sent_images == 3


def test_an_image_that_is_changed_in_place_is_sent_again(model, kept):
    phone, here = Phone(kept, StandIn(kept)), open_runtime(model)
    given = tflite_build.inputs()
    for scale in (1, 0.5):
        with open_place("adb") as device, RemoteRuntime(ModelFile(model), device) as remote:
            remote.open()
            for _ in range(2):
                np.testing.assert_array_equal(remote.run(given)["mask"], here.run(given)["mask"])
                given["image"][:] = np.flip(given["image"]) * scale
    phone.close()


def losing(every: int, requests: tuple[str, ...] = ("run",)):
    """Breaks off at every Nth of the requests."""
    count = 0

    def hook(name, transport, _request):
        nonlocal count
        count += name in requests
        if name in requests and count % every == 0:
            transport.close()
            return True
        return False

    return hook


def test_bench_noc_survives_a_device_that_breaks_off(model, kept, grabcut, tmp_path, monkeypatch):
    monkeypatch.setattr("ritm_edge.devices.remote._PAUSE_S", 0.01)
    found = {}
    for name, every in (("undisturbed", 10**9), ("broken", 5)):
        phone = Phone(kept, StandIn(kept, blobs=True), losing(every))
        output = tmp_path / f"{name}.json"
        result = invoke(
            *("bench", "noc", model, "--data", f"GrabCut={grabcut}", "--on", "adb"),
            *("--max-clicks", 2, "--all-clicks", "-o", output),
        )
        phone.close()
        assert result.exit_code == 0, result.exception
        (report,) = json.loads(output.read_text())["reports"]
        assert report["file"] == "mean.tflite on adb"
        assert report["device"]["engine"] == "stand-in 1"
        assert (phone.connections == 1) == (name == "undisturbed")
        found[name] = [(each["clicks"], each["ious"]) for each in report["per_object"]]
    assert found["broken"] == found["undisturbed"]


def test_bench_noc_goes_on_after_a_device_was_given_up(model, kept, grabcut, tmp_path, monkeypatch):
    monkeypatch.setattr("ritm_edge.devices.remote._PAUSE_S", 0.01)
    monkeypatch.setattr("ritm_edge.devices.adb.COMMAND_S", 5.0)
    output = tmp_path / "noc.json"
    line = (
        *("bench", "noc", model, "--data", f"GrabCut={grabcut}", "--on", "adb"),
        *("--max-clicks", 2, "--all-clicks", "-o", output),
    )
    dead = False

    def dies(name, transport, _request):
        nonlocal dead
        dead = dead or (name == "run" and len(stand_in.log) > 8)
        if dead:
            transport.close()
        return dead

    stand_in = StandIn(kept, blobs=True)
    phone = Phone(kept, stand_in, dies)
    result = invoke(*line)
    phone.close()
    assert isinstance(result.exception, DeviceError), result.exception
    assert "run the same command again" in str(result.exception)
    assert not output.exists()
    done = sum('"of"' in text for text in output.with_suffix(".jsonl").read_text().splitlines())
    assert 0 < done < 3

    phone = Phone(kept, StandIn(kept, blobs=True))
    assert invoke(*line).exit_code == 0
    phone.close()
    assert len(json.loads(output.read_text())["reports"][0]["per_object"]) == 3


def test_a_journal_of_another_engine_is_not_continued(model, kept, grabcut, tmp_path):
    class Updated(StandIn):
        def open(self, request):
            answer = super().open(request)
            return type(answer)(
                {**answer.head, "engine": "stand-in 2"} if answer.head.get("ms") else answer.head
            )

    for stand_in, code in ((StandIn, 0), (Updated, 2)):
        phone = Phone(kept, stand_in(kept, blobs=True))
        result = invoke(
            *("bench", "noc", model, "--data", f"GrabCut={grabcut}", "--on", "adb"),
            *("--max-clicks", 1, "--journal", tmp_path / "j.jsonl"),
        )
        phone.close()
        assert getattr(result.exception, "exit_code", 0) == code, result.exception
    assert "engine stand-in 1, now stand-in 2" in str(result.exception)


def test_latency_has_a_row_for_each_file_and_place(model, kept, tmp_path):
    other = tflite_build.write(tmp_path / "other.tflite")
    phone, output = Phone(kept, StandIn(kept, blobs=True)), tmp_path / "latency.json"
    result = invoke(
        *("bench", "latency", model, other, "--on", "adb", "--on", "adb:R58M", "--on", "adb"),
        *("--checkpoint", "lite0", "--threads", 1),
        *("--runs", 2, "--warmup", 0, "--cold-starts", 2, "-o", output),
    )
    phone.close()
    assert result.exit_code == 0, result.exception
    rows = json.loads(output.read_text())["rows"]
    assert [(Path(row["path"]).name, row["place"]) for row in rows] == [
        ("lite0.safetensors", "here"),
        ("mean.tflite", "adb"),
        ("other.tflite", "adb"),
        ("mean.tflite", "adb:R58M"),
        ("other.tflite", "adb:R58M"),
    ]
    assert [row["wire_ms"] is None for row in rows] == [True, *[False] * 4]
    assert [row["ratio_to_pytorch"] is None for row in rows] == [False, *[True] * 4]
    assert rows[2]["cold_starts_ms"][1] >= 12.5
    assert rows[2]["engine"] == "stand-in 1"
    assert rows[2]["threads"] == 2
    for column in ("on", "wire ms", "threads"):
        assert column in result.stdout.splitlines()[1]
    page = tmp_path / "page.html"
    assert invoke("report", output, "-o", page).exit_code == 0
    assert "adb" in page.read_text()


# (command line, kind of error, what it says)
REFUSED = [
    ("verify {model} --on nowhere", UsageError, "not a place"),
    ("verify {model} --on adb:", UsageError, "not a place"),
    ("verify {model} --on browser:7", UsageError, "not a place"),
    ("verify {model} --on adb --listen 127.0.0.1", UsageError, "--listen"),
    ("verify {model} --on browser --listen example.com", UsageError, "--listen example.com"),
    ("verify {model} --on browser --listen 0.0.0.0", UsageError, "--listen 0.0.0.0"),
    ("verify {model} --on browser --listen 127.0.0.1:99999", UsageError, "--listen"),
    ("verify {model} --on browser --listen 192.0.2.7", UsageError, "cannot be listened on"),
    ("predict {photo} --at 9,9 --on adb", UsageError, "which takes .tflite"),
    ("predict {photo} --at 9,9 --artifact {folder} --on adb", UsageError, "which takes .tflite"),
    ("bench latency {photo} --no-pytorch --on adb", UsageError, "which takes .tflite"),
    ("bench latency {broken} --no-pytorch --on adb", InputFileError, "changed after export"),
    ("bench noc missing.tflite --data GrabCut={grabcut} --on adb", InputFileError, "not exist"),
]


@pytest.mark.parametrize(("line", "kind", "said"), REFUSED)
def test_what_a_place_cannot_do_is_said(
    line, kind, said, model, kept, grabcut, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ritm_edge.devices.browser.page_files", dict)
    monkeypatch.setattr("ritm_edge.devices.browser.page_headers", dict)
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "broken.tflite").write_bytes(model.read_bytes()[:500])
    names = {"model": model, "photo": sample_photo(), "grabcut": grabcut}
    names |= {"folder": tmp_path / "folder.tflite", "broken": tmp_path / "broken.tflite"}
    phone = Phone(kept, StandIn(kept))
    error = invoke(*(part.format(**names) for part in line.split())).exception
    phone.close()
    assert isinstance(error, kind), error
    assert said in str(error)
    assert str(error).isprintable()


ADB = {
    "Android's platform tools": None,
    "no devices/emulators found": 'echo "error: no devices/emulators found" >&2; exit 1',
    "device unauthorized": 'printf "adb: error: device unauthorized\\nsee it\\n" >&2; exit 1',
    "connect a phone, allow USB debugging": "exit 255",
    "choose one that adb devices shows": 'echo "more than one device/emulator"; exit 1',
    "instead of a port": 'printf "* daemon started\\n5037\\n"',
    "cannot be reached at the port 1 ": "echo 1",
    "cannot be reached at the port 99999999 ": "echo 99999999",
    "no answer within": "exec sleep 20",
}


@pytest.mark.parametrize("said", ADB)
def test_what_is_wrong_with_adb_is_said(said, tmp_path, monkeypatch):
    monkeypatch.setattr(adb_module, "COMMAND_S", 1.0)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if ADB[said] else str(tmp_path))
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    if ADB[said]:
        (tmp_path / "adb").write_text(f"#!/bin/sh\n{ADB[said]}\n")
        (tmp_path / "adb").chmod(0o755)
    with pytest.raises(DeviceError) as error, Device(AdbPhone()) as device:
        device.connect()
    assert said in str(error.value)
    assert str(error.value).isprintable()


def test_a_missing_browser_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr("ritm_edge.devices.browser.page_files", dict)
    monkeypatch.setattr("ritm_edge.devices.browser.page_headers", dict)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    for named in (None, "/nowhere/chrome"):
        if named:
            monkeypatch.setenv("CHROMIUM", named)
        with pytest.raises(DeviceError) as error:
            Browser()
        for words in (named or "google-chrome", "install", "CHROMIUM", "--listen"):
            assert words in str(error.value)


def test_a_browser_that_ends_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr("ritm_edge.devices.browser.page_files", dict)
    monkeypatch.setattr("ritm_edge.devices.browser.page_headers", dict)
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(program))
    with (
        pytest.raises(DeviceError, match=r"ended at once \(no display\)"),
        Device(Browser()) as device,
    ):
        device.connect()


def test_a_page_that_was_not_built_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(site, "PAGE", tmp_path)
    with pytest.raises(InputFileError, match="run make web"):
        open_place("browser")
