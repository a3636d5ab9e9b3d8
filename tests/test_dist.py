"""What `make dist` does to README, and when it refuses."""

import runpy

import pytest

from .paths import ROOT

SCRIPT = ROOT / "scripts" / "dist.py"


def test_links_of_the_published_page_are_absolute():
    absolute_links = runpy.run_path(str(SCRIPT))["absolute_links"]
    text = "![a](docs/a.png) [b](docs/b.md) [c](https://x.org/y) [d](#e) [f](docs/f.md#g)"
    assert absolute_links(text, "https://host/r") == (
        "![a](https://host/r/raw/main/docs/a.png) [b](https://host/r/blob/main/docs/b.md) "
        "[c](https://x.org/y) [d](#e) [f](https://host/r/blob/main/docs/f.md#g)"
    )


def test_an_unfilled_address_is_not_published(tmp_path):
    main = runpy.run_path(str(SCRIPT))["main"]
    main.__globals__["ROOT"] = tmp_path
    (tmp_path / "pyproject.toml").write_text(
        f'[project.urls]\nRepository = "https://{main.__globals__["PLACEHOLDER"]}/ritm-edge"\n'
    )
    with pytest.raises(SystemExit, match="write the project's address first"):
        main(["--publish"])
    assert not (tmp_path / "dist").exists()


def test_every_local_link_of_the_documents_leads_somewhere():
    relative = runpy.run_path(str(SCRIPT))["RELATIVE"]
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    texts.append(ROOT / "ritm_edge" / "weights" / "MODEL_CARD.md")
    for path in texts:
        for match in relative.finditer(path.read_text()):
            target = path.parent / match[3].partition("#")[0]
            assert target.exists(), (path, match[3])
