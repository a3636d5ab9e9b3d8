"""What the program tells its terminal, in processes of their own: one line and an exit code."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from ritm_edge.cli.console import printable

RAISING = """
import sys
from ritm_edge.cli import main, weights
def fail(): {body}
weights._embedded_and_published = fail
sys.argv = ["ritm-edge", "weights", "list"]
main.main()
"""


def run(*arguments: str | bytes, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "ritm_edge", *arguments]
    return subprocess.run(command, capture_output=True, **options)


def one_line(done: subprocess.CompletedProcess, code: int) -> str:
    text = done.stderr.decode()
    assert done.returncode == code, text
    *progress, text = text.splitlines(keepends=True)
    assert all(line.startswith("check ") for line in progress)
    assert text.startswith("error ")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert all(each.isprintable() for each in text[:-1])
    return text


NAMES = [
    b"a\nb.png",
    b"a\x1b[31mred.png",
    b"in/a\\[b]/[/bold][red].png",
    b"\xff\xfe.png",
    "‮gnp.exe".encode(),
    b"x" * 300,
    b"loop",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "line",
    [
        ("predict", b"NAME", "--click", "1,1"),
        ("predict", "photo.png", "--click", "1,1", "--artifact", b"NAME"),
        ("predict", "photo.png", "--click", "1,1", "--checkpoint", b"NAME"),
        ("data", "check", b"NAME"),
        ("bench", "compare", b"NAME", b"NAME"),
    ],
)
def test_an_error_is_one_line_whatever_a_name_holds(tmp_path, line, name):
    (tmp_path / "loop").symlink_to("loop")
    arguments = [name if each == b"NAME" else each for each in line]
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode in (2, 4, 5), done.stderr
    one_line(done, done.returncode)


def test_what_steers_a_terminal_is_shown_as_its_escape():
    assert printable("a\n\x1b[1m\udc80\u202e") == "a\\n\\x1b[1m\\udc80\\u202e"
    assert printable("Fotos/größe 日本.png") == "Fotos/größe 日本.png"


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "cp1251", "latin-1"])
def test_tables_are_printed_on_every_terminal(encoding):
    done = run("weights", "list", env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert b"hrnet18s" in done.stdout


@pytest.mark.parametrize("line", [("weights", "list"), ("weights", "list", "--json"), ("--help",)])
def test_a_full_disk_and_a_closed_reader(line):
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "ritm_edge", *line]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert "No space left" in one_line(done, 5)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise OSError(28, 'No space left on device', '/x/y')", 5, "/x/y: No space left"),
        ("raise OSError(36, 'File name too long', 'y' * 300)", 5, "too long"),
        ("raise MemoryError", 1, "not enough memory"),
        ("raise RuntimeError('[enforce fail] can\\'t allocate memory')", 1, "not enough memory"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
    ],
)
def test_what_happens_outside_is_one_line_with_its_code(body, code, said):
    done = subprocess.run([sys.executable, "-c", RAISING.format(body=body)], capture_output=True)
    assert said in one_line(done, code)


@pytest.mark.parametrize("error", ["KeyError('a')", "EOFError", "FileNotFoundError(2, 'x', 'y')"])
def test_our_own_bugs_have_a_traceback_and_exit_code_10(error):
    script = RAISING.format(body=f"raise {error}")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert done.returncode == 10
    assert b"Traceback" in done.stderr


def test_native_libraries_do_not_write_between_our_lines():
    body = "import os; os.write(2, b'native'); raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", RAISING.format(body=body)], capture_output=True)
    assert "native" not in one_line(done, 130)


WRONG = [(), ("--nothing",), ("predict",), ("bench", "noc", "--limit", "x")]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_command_line_has_exit_code_2(line):
    done = run(*line)
    assert done.returncode == 2
    if line:
        one_line(done, 2)


def test_ctrl_c_is_told_in_one_line(tmp_path):
    body = "import time, pathlib; pathlib.Path('here').touch(); time.sleep(60)"
    command = [sys.executable, "-c", RAISING.format(body=body)]
    # A shell ignores it for what it starts in the background, and these tests inherit that.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=heard)
    while not Path(tmp_path, "here").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=30)
    assert process.returncode == 130
    assert text.decode().startswith("error interrupted")
