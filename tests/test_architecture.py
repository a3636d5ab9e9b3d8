"""The layout's rules: who may import whom, how long a file may be, what start-up costs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .paths import ROOT

STAGES = ("train", "export", "benchmarks")
CORE = ROOT / "ritm_edge"
HEAVY = ("torch", "tensorflow", "coremltools", "onnx", "onnxruntime", "matplotlib")
MAX_LINES = 400


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported_modules(path: Path) -> list[tuple[str, bool]]:
    """(absolute module name, whether at module level) of every import in a file."""
    found = []
    tree = ast.parse(path.read_text())
    top_level = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top_level) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.module, id(node) in top_level))
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_the_core_and_itself_never_another_stage(stage):
    others = [f"ritm_edge.{other}" for other in STAGES if other != stage]
    for path in python_files(stage):
        for module, _ in imported_modules(path):
            assert not module.startswith(tuple(others)), (path, module)


def test_the_core_imports_no_stage_outside_its_command_line():
    stages = tuple(f"ritm_edge.{stage}" for stage in STAGES)
    relative = re.compile(rf"from \.+({'|'.join(STAGES)})\b")
    for path in python_files("ritm_edge"):
        in_cli = path.parent.name == "cli"
        for module, top_level in imported_modules(path):
            if module.startswith(stages):
                assert in_cli, (path, module)
                assert not top_level, (path, module)
        if not in_cli:
            assert not relative.search(path.read_text()), path


def test_no_file_holds_two_jobs():
    for path in python_files("ritm_edge", *STAGES, "tests"):
        lines = len(path.read_text().splitlines())
        assert lines <= MAX_LINES, f"{path} has {lines} lines"


def test_every_package_is_installed():
    """setuptools is given the list by hand, because the stages lie outside `ritm_edge/`."""
    project = (ROOT / "pyproject.toml").read_text()
    listed = set(re.findall(r'^    "(ritm_edge[\w.]*)",$', project, re.M))
    expected = set()
    for folder, package in (("ritm_edge", "ritm_edge"), *((s, f"ritm_edge.{s}") for s in STAGES)):
        for init in (ROOT / folder).rglob("__init__.py"):
            below = init.parent.relative_to(ROOT / folder).parts
            expected.add(".".join((package, *below)))
    assert listed == expected


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_command_line_imports_nothing_heavy():
    loaded = run_python("import sys, ritm_edge.cli.main; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_a_session_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import ritm_edge; from ritm_edge import InteractiveSession, open_runtime\n"
        "import ritm_edge.runtimes.onnx, ritm_edge.runtimes.tflite; print('fine')"
    )
    assert run_python(code).strip() == "fine"
