"""The page's server and its files; the page itself is tested in web_demo/tests."""

import http.client
import shutil
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ritm_edge.cli import demo
from ritm_edge.cli.main import app
from ritm_edge.errors import InputFileError, MissingExtraError, OutputFileError
from ritm_edge.files import sha256_of
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.web import site as site_module
from ritm_edge.web.server import open_server
from ritm_edge.web.site import Site
from ritm_edge.weights import SHIPPED_ARTIFACT, default_checkpoint

from ..paths import ROOT

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "worker-src 'self' blob:; img-src 'self' blob: data:; connect-src 'self' blob:",
}
PATHS = {
    "/": b"<html>",
    "/index.html": b"<html>",
    "/check/": b"<check>",
    "/a%20b.js": b"script",
    "/model.tflite": b"model",
    "/?x=../secret": b"<html>",
}
# Whatever a client can send to leave the folder.
OUTSIDE = [
    "/../secret", "/..%2fsecret", "/%2e%2e/secret", "/check/../../secret", "//etc/passwd",
    "/..\\secret", "/%5c..%5csecret", "/page/../secret", "/index.html/../../secret", "/link",
    "/%00", "/nothing", "/check/%2e%2e/%2e%2e/secret", "//", "/.", "/./index.html",
]  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    (page / "check").mkdir(parents=True)
    (page / "index.html").write_bytes(b"<html>")
    (page / "check" / "index.html").write_bytes(b"<check>")
    (page / "a b.js").write_bytes(b"script")
    shutil.copyfile(ROOT / "web_demo" / "public" / "_headers", page / "_headers")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "model.bin").write_bytes(b"model")
    return page


@pytest.fixture
def built(page: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(site_module, "PAGE", page)
    return page


@pytest.fixture
def site(built: Path, tmp_path: Path) -> Site:
    assert built.is_dir()
    return Site(tmp_path / "model.bin", tmp_path)


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    with open_server(site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.content = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


@pytest.mark.parametrize("path", PATHS)
def test_files_of_the_page_are_served_with_the_headers_that_threads_need(port, path):
    answer = ask(port, path)
    assert (answer.status, answer.content) == (200, PATHS[path])
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    head = ask(port, path, "HEAD")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PATHS[path]))


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_else_is_served(port, path):
    answer = ask(port, path)
    assert answer.status == 404 or answer.content == b"<html>"
    assert b"secret" not in answer.content
    assert b"root:" not in answer.content


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[::1]", "0"])
def test_a_foreign_name_for_this_machine_is_refused(port, host):
    assert ask(port, "/", Host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:8000"])
def test_names_of_this_machine_are_taken(port, host):
    assert ask(port, "/", Host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_sent(port, method):
    assert ask(port, "/index.html", method).status == 501


def test_a_folder_without_slash_leads_to_the_one_with(port):
    answer = ask(port, "/check")
    assert (answer.status, answer.headers["Location"]) == (301, "/check/")


def test_only_this_machine_reaches_the_server(site):
    with open_server(site) as server:
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(OutputFileError, match="pass another with --port"):
            open_server(site, server.server_port)


def test_what_the_self_check_lacks_is_said(port, monkeypatch):
    def missing(_site: Site) -> None:
        raise MissingExtraError("ai_edge_litert is needed and not installed: run pip install it.")

    monkeypatch.setattr(Site, "make_check", missing)
    answer = ask(port, "/golden/traces.json")
    assert answer.status == 404
    assert b"ai_edge_litert is needed" in answer.content


def test_a_page_that_was_not_built_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(site_module, "PAGE", tmp_path)
    with pytest.raises(InputFileError, match="run make web"):
        Site(tmp_path, tmp_path)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.tflite", None, "does not exist"),
        ("model.onnx", b"x", "is no .tflite file"),
        ("short.tflite", b"\x1c\0\0\0TFL3", "no checksum"),
        ("page.tflite", b"<html></html>", "is a web page"),
    ],
)
def test_artifacts_that_the_page_cannot_run_are_refused(tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    result = CliRunner().invoke(app, ["demo", "--artifact", str(path), "--no-browser"])
    assert result.exception is not None
    assert said in str(result.exception)


@pytest.mark.usefixtures("built")
def test_an_existing_folder_is_not_built_into(tmp_path):
    result = CliRunner().invoke(app, ["demo", "--build", str(tmp_path)])
    assert "name a folder that does not exist yet" in str(result.exception)


@pytest.mark.usefixtures("built")
def test_a_build_holds_page_model_check_and_headers(tmp_path, monkeypatch):
    def made(site: Site) -> None:
        site._files["golden/traces.json"] = tmp_path / "secret"

    monkeypatch.setattr(demo, "_kept", lambda: tmp_path / "model.bin")
    monkeypatch.setattr(Site, "make_check", made)
    result = CliRunner().invoke(app, ["demo", "--build", str(tmp_path / "new")])
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "new" / "model.tflite").read_bytes() == b"model"
    assert (tmp_path / "new" / "check" / "index.html").read_bytes() == b"<check>"
    assert (tmp_path / "new" / "golden" / "traces.json").read_bytes() == b"secret"
    assert "Cross-Origin-Embedder-Policy: require-corp" in (tmp_path / "new/_headers").read_text()


@pytest.mark.usefixtures("built")
def test_the_embedded_model_is_exported_once(tmp_path, monkeypatch):
    exports = []

    def export(target: list[str], *, checkpoint: Path, output: Path, session: bool) -> None:
        exports.append((target, str(checkpoint), session))
        output.mkdir(parents=True)
        (output / "lite0-400x400.tflite").write_bytes(b"model")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo.export, "command", export)
    first = demo._kept()
    assert demo._kept() == first
    assert exports == [(["tflite"], "lite0", True)]
    assert first.is_relative_to(tmp_path / "cache")


def test_the_shipped_model_is_that_of_the_embedded_weights():
    path = SHIPPED_ARTIFACT
    assert len(zlib.compress(path.read_bytes())) <= 4_000_000, "too large for the wheel"
    info = open_runtime(path).info
    assert info is not None
    assert info.checkpoint_sha256 == sha256_of(default_checkpoint("lite0")), "run make shipped"
    assert info.session is not None
