"""Builds and checks what is published: `python scripts/dist.py [--publish]`, from `make dist`.

The source distribution and the wheel are built from the committed files, with the annotator's page
built (which needs Node) and links and pictures of README.md made absolute, since PyPI shows that
page without the rest of the repository. Then the wheel is installed into a fresh environment
without PyTorch and must cut an object out of the sample photo. With `--publish`, it first refuses
a project address that is still the placeholder.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = "example.invalid"
# A Markdown link or picture whose target is neither an address nor a place on the page.
RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#|mailto:)([^)]+)\)")


def absolute_links(text: str, repository: str) -> str:
    """README's text with links that work anywhere; pictures point at the raw files."""

    def link(match: re.Match[str]) -> str:
        kind = "raw" if match[1] else "blob"
        return f"{match[1]}[{match[2]}]({repository}/{kind}/main/{match[3]})"

    return RELATIVE.sub(link, text)


def run(*command: object, cwd: Path = ROOT) -> None:
    """Run and stop where it fails."""
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def main(arguments: list[str]) -> None:
    """Leave checked files in dist/."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    if "--publish" in arguments and any(PLACEHOLDER in url for url in urls.values()):
        sys.exit(f"pyproject.toml still names {PLACEHOLDER}: write the project's address first.")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        run("git", "archive", "--output", place / "tree.tar", "HEAD")
        with tarfile.open(place / "tree.tar") as archive:
            archive.extractall(place / "tree", filter="data")
        readme = place / "tree" / "README.md"
        readme.write_text(absolute_links(readme.read_text(), urls["Repository"]))

        run("npm", "ci", "--no-audit", "--no-fund", cwd=place / "tree" / "web_demo")
        run("npm", "run", "build", cwd=place / "tree" / "web_demo")
        shutil.rmtree(place / "tree" / "web_demo" / "node_modules")

        tools = place / "tools"
        venv.create(tools, with_pip=True)
        run(tools / "bin/pip", "install", "--quiet", "build", "twine")
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        run(tools / "bin/python", "-m", "build", "--outdir", ROOT / "dist", place / "tree")
        files = sorted((ROOT / "dist").iterdir())
        run(tools / "bin/twine", "check", "--strict", *files)

        model = place / "model"
        export = ("export", "--checkpoint", "lite0", "--target", "onnx", "--size", "256x256")
        run(sys.executable, "-m", "ritm_edge", *export, "--output", model)
        fresh = place / "fresh"
        venv.create(fresh, with_pip=True)
        wheel = next(file for file in files if file.suffix == ".whl")
        run(fresh / "bin/pip", "install", "--quiet", f"{wheel}[onnx-runtime]")
        photo = ROOT / "ritm_edge/samples/astronaut.jpg"
        run(
            *(fresh / "bin/ritm-edge", "predict", photo, "--click", "140,220"),
            *("--artifact", model / "lite0-256x256.onnx", "-o", place / "mask.png"),
            cwd=place,
        )
    print("checked:", *(file.relative_to(ROOT) for file in files))


if __name__ == "__main__":
    main(sys.argv[1:])
