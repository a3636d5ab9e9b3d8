"""One self-contained HTML page from results files: no script, no request, everything escaped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ritm_edge import __version__
from ritm_edge.data import Benchmark
from ritm_edge.optional import require
from ritm_edge.runtimes.base import Runtime
from ritm_edge.tables import optional

from ..device_results import AcceleratorResults, BrowserCheck
from ..paper.curves import curve_of
from ..result_values import Machine
from ..results import (
    FitResults,
    FlopsResults,
    LatencyResults,
    ParityResults,
    Results,
    noc_runs,
)
from . import charts
from .clicks import click_tables
from .worst import SPARK_HEIGHT, SPARK_WIDTH, worst_cases

FOLDER = Path(__file__).parent


def render_page(
    results: Mapping[str, Results],
    *,
    benchmarks: Mapping[str, Benchmark] | None = None,
    runtime: Runtime | None = None,
    title: str = "ritm-edge report",
) -> str:
    """The page of results, by the name of their file, and of worst cases with the photos of
    `benchmarks`, by name; see `worst_cases`. Raises MissingExtraError: Jinja is not installed;
    InputFileError, UsageError: as `worst_cases`."""
    jinja2 = require("jinja2", extra="report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "optional": optional,
        "base_name": lambda path: path.replace("\\", "/").rsplit("/", 1)[-1],
    }
    environment.globals |= {"share": charts.share}
    markup = require("markupsafe", extra="report").Markup
    page: str = environment.get_template("page.html.j2").render(
        title=title,
        version=__version__,
        # Our own file; everything else is escaped.
        style=markup((FOLDER / "style.css").read_text(encoding="utf-8")),
        files=list(results),
        **_content(list(results.values()), benchmarks or {}, runtime),
    )
    return page


def _content(
    results: Sequence[Results], benchmarks: Mapping[str, Benchmark], runtime: Runtime | None
) -> dict[str, Any]:
    runs = noc_runs(results)
    latency = [each for each in results if isinstance(each, LatencyResults)]
    parity = [(row.path, row.parity) for each in latency for row in each.rows if row.parity]
    parity += [(each.artifact, each) for each in results if isinstance(each, ParityResults)]
    return {
        "noc": click_tables(runs),
        "curves": charts.curve_charts([curve_of(run) for run in runs]),
        "drawing": charts,
        "table_clicks": charts.TABLE_CLICKS,
        "latency": latency,
        "slowest": max((row.p90_ms for each in latency for row in each.rows), default=1.0),
        "checks": [each for each in results if isinstance(each, BrowserCheck)],
        "parity": parity,
        "accelerators": [each for each in results if isinstance(each, AcceleratorResults)],
        "flops": [each for each in results if isinstance(each, FlopsResults)],
        "fits": [each for each in results if isinstance(each, FitResults)],
        "worst": worst_cases(runs, benchmarks, runtime),
        "spark": (SPARK_WIDTH, SPARK_HEIGHT),
        "machines": _machines(results),
        "versions": _versions(results),
    }


def _machines(results: Sequence[Results]) -> list[Machine]:
    found: list[Machine] = []
    for each in results:
        if each.machine not in found and each.machine != Machine():
            found.append(each.machine)
    return found


def _versions(results: Sequence[Results]) -> list[tuple[str, str]]:
    """(package, version or versions), sorted."""
    found: dict[str, dict[str, None]] = {}
    for each in results:
        for name, version in each.versions.items():
            found.setdefault(name, {})[version] = None
    return [(name, ", ".join(found[name])) for name in sorted(found)]
