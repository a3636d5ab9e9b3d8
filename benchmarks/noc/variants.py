"""What one `bench noc` measures: every file, with every fit, method and sample of the user."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ritm_edge.errors import UsageError
from ritm_edge.evaluation.loop import EvaluationSettings
from ritm_edge.methods.base import CLASSICAL, REFINING, ClassicalRuntime, check_method, segment_of
from ritm_edge.runtimes.base import Runtime
from ritm_edge.session.fit import Fit

from .report import NocReport, noc_name
from .table import mean_and_spread

PLAIN = "plain"


@dataclass(frozen=True)
class Variant:
    """One row of the table, for each benchmark; `label` is what it is called there."""

    runtime: Runtime
    label: str
    settings: EvaluationSettings


def variants(
    runtimes: Sequence[Runtime],
    settings: EvaluationSettings,
    *,
    fits: Sequence[Fit],
    methods: Sequence[str] = (),
    samples: int = 1,
    place: str | None = None,
) -> Iterator[Variant]:
    """All rows.

    Args:
        runtimes: opened files; not used by classical methods.
        fits: has no effect on graphs of any size; those of fixed size are measured with each.
        methods: see `ritm_edge.methods`; "plain" is a pass of the network.
        place: where the files run, if not here.
        samples: how often a user who clicks at random is played, with other seeds.

    Raises:
        UsageError: a method that is unknown or cannot run one of the files.
    """
    for method in methods or [PLAIN]:
        for number in range(samples):
            changed = replace(settings, user_seed=number)
            ending = f" {settings.user} {number + 1}" if settings.user is not None else ""
            if method in CLASSICAL:
                # They see the whole photo once.
                alone = replace(changed, method=method, zoom_in=None, flip=False)
                yield Variant(ClassicalRuntime(method), f"{method}{ending}", alone)
                continue
            if method != PLAIN:
                changed = replace(changed, method=check_method(method))
                ending = f" {method}{ending}"
            for runtime, label, fit in _files(runtimes, fits, place):
                yield Variant(runtime, f"{label}{ending}", replace(changed, fit=fit))


def check_methods(methods: Sequence[str], runtimes: Sequence[Runtime]) -> None:
    """Refuse before the work what would fail in it. Raises UsageError: as `variants`;
    MissingExtraError: a library that is not installed."""
    for method in methods:
        if method == PLAIN:
            continue
        if check_method(method) in REFINING:
            from ritm_edge.methods.brs import BrsProtocol  # needs PyTorch
            from ritm_edge.optional import require

            require("scipy", extra="methods")
            for runtime in runtimes:
                BrsProtocol(method, runtime)
        else:
            segment_of(method)


def _files(
    runtimes: Sequence[Runtime], fits: Sequence[Fit], place: str | None
) -> Iterator[tuple[Runtime, str, Fit]]:
    """Files by their names, or by their paths if two have the same name."""
    names = [Path(runtime.label).name for runtime in runtimes]
    if place is not None:
        names = [f"{name} on {place}" for name in names]
    for name, runtime in zip(names, runtimes, strict=True):
        label = name if names.count(name) == 1 else runtime.label
        if runtime.spec.size is None or len(fits) == 1:
            yield runtime, label, fits[0]
        else:
            for fit in fits:
                yield runtime, f"{label} ({fit})", fit


def over_samples(reports: Sequence[NocReport]) -> Iterator[str]:
    """A sentence for each file and benchmark that a user clicked through several times: the mean
    NoC and its standard deviation between the samples."""
    groups: dict[tuple[str, str], list[NocReport]] = {}
    for report in reports:
        name = str(report.subject["file"]).rpartition(" ")[0]
        groups.setdefault((report.benchmark, name), []).append(report)
    for (benchmark, name), group in groups.items():
        last = [each.noc[-1] for each in group]
        means = [each.mean for each in last]
        figure = noc_name(last[0].target_iou, last[0].max_clicks)
        found = f"{figure} {mean_and_spread(means)} over {len(means)} samples"
        yield f"{benchmark}, {name}: {found}"


def refuse_other_protocols(methods: Sequence[str], protocol: str | None) -> None:
    """Raise UsageError where a method is asked to follow the app protocol."""
    own = [method for method in methods if method != PLAIN]
    if own and protocol not in (None, "published"):
        raise UsageError(
            f"{own[0]} follows the published protocol: leave out --protocol, --session-graphs and "
            "--start-iou."
        )
