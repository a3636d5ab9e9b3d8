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
HEAVY = "torch tensorflow coremltools onnx onnxruntime executorch matplotlib".split()
MAX_LINES = 400


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def module_name(path: Path) -> str:
    """The name under which a file is imported once it is installed."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] in STAGES:
        parts = ("ritm_edge", *parts)
    return ".".join(parts)


def imported_modules(path: Path) -> list[tuple[str, bool]]:
    """(absolute name, whether at module level) of every import in a file, relative ones resolved.

    `from package import name` counts as `package.name`: it may be a module. What only type
    checkers read does not count.
    """
    found = []
    tree = ast.parse(path.read_text())
    top_level = {id(node) for node in tree.body}
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    package = module_name(path).split(".")[:-1]
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = [*base, *([node.module] if node.module else [])]
            names = [".".join([*origin, alias.name]) for alias in node.names]
        found += [(name, id(node) in top_level) for name in names]
    return found


def test_relative_imports_are_resolved(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "export" / "targets").mkdir(parents=True)
    path = tmp_path / "export" / "targets" / "onnx.py"
    path.write_text(
        "from ...train import loop\nfrom ..graph import a, b\nfrom . import c\nimport d.e\n"
        "def f():\n    from ....x import y\n"
    )
    prefix = "ritm_edge.export"
    assert imported_modules(path) == [
        ("ritm_edge.train.loop", True),
        (f"{prefix}.graph.a", True),
        (f"{prefix}.graph.b", True),
        (f"{prefix}.targets.c", True),
        ("d.e", True),
        ("x.y", False),
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_the_core_and_itself_never_another_stage(stage):
    others = tuple(f"ritm_edge.{other}." for other in STAGES if other != stage)
    for path in python_files(stage):
        for module, _ in imported_modules(path):
            assert not f"{module}.".startswith(others), (path, module)


def test_the_core_imports_no_stage_outside_its_command_line():
    stages = tuple(f"ritm_edge.{stage}." for stage in STAGES)
    for path in python_files("ritm_edge"):
        for module, top_level in imported_modules(path):
            if f"{module}.".startswith(stages):
                assert (CORE / "cli") in path.parents, (path, module)
                assert not top_level, (path, module)


# Packages of the core; each may import those before it, and none after it.
LAYERS = (
    {"samples", "weights", "imaging", "artifacts", "model"},
    {"runtimes", "data"},
    {"session"},
    {"methods"},
    {"evaluation"},
    {"verification"},
    {"web"},
    {"devices"},
    {"cli"},
)


def test_inside_the_core_arrows_go_down_only():
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    packages = {p.name for p in CORE.iterdir() if (p / "__init__.py").exists()}
    assert packages == set(level)
    level["__main__.py"] = len(LAYERS)  # starts the command line
    for path in python_files("ritm_edge"):
        here = path.relative_to(CORE).parts[0]
        for module, _ in imported_modules(path):
            there = module.split(".")[1:2]
            if module.startswith("ritm_edge.") and there[0] in level and there[0] != here:
                assert level[there[0]] < level.get(here, -1), (path, module)


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
