"""Puts the results of `bench noc --shard I/N` together, as if one run had measured them."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

from ritm_edge.errors import UsageError
from ritm_edge.evaluation.loop import SampleResult

from ..results import NocResults, NocRun
from .report import NocReport, as_document, object_from_dict

SUBJECT = ("file", "runtime", "engine", "model", "precision", "size", "sha256", "checkpoint_sha256")


def merge(parts: Mapping[str, NocResults]) -> dict[str, Any]:
    """The document of one run over all objects, from what its shards saved, by name of the file;
    the machine is that of the first shard. Raises UsageError: shards of different runs or versions,
    or not each of them once."""
    names, results = list(parts), list(parts.values())
    for name, each in parts.items():
        for package in sorted(each.versions.keys() | results[0].versions.keys()):
            versions = [r.versions.get(package, "none") for r in (results[0], each)]
            if versions[0] != versions[1]:
                raise UsageError(
                    f"{names[0]} was measured with {package} {versions[0]} and {name} with "
                    f"{versions[1]}: measure all shards with the same versions."
                )
        if len(each.reports) != len(results[0].reports):
            raise UsageError(
                f"{names[0]} has {len(results[0].reports)} rows and {name} {len(each.reports)}: "
                "pass the shards of one command."
            )
    reports = [
        _merged(dict(zip(names, runs, strict=True)))
        for runs in zip(*(each.reports for each in results), strict=True)
    ]
    document = as_document(reports)
    return {**document, "machine": results[0].machine.model_dump(), "versions": results[0].versions}


def _merged(runs: Mapping[str, NocRun]) -> NocReport:
    """One row: every shard's share of the same objects."""
    first_name, first = next(iter(runs.items()))
    shards: dict[int, NocRun] = {}
    for name, run in runs.items():
        if run.shard is None or not 1 <= run.shard[0] <= run.shard[1]:
            raise UsageError(f"{name} is not of a shard: pass what bench noc --shard I/N saved.")
        if _identity(run) != _identity(first):
            raise UsageError(
                f"{name} and {first_name} are not of one run ({_difference(run, first)}): pass the "
                "shards of one command."
            )
        if run.shard[0] in shards:
            raise UsageError(f"shard {run.shard[0]}/{run.shard[1]} is there twice: pass it once.")
        shards[run.shard[0]] = run
    count = len(runs) if first.shard is None else first.shard[1]
    missing = [str(index) for index in range(1, count + 1) if index not in shards]
    if missing:
        raise UsageError(f"of {count} shards {', '.join(missing)} are missing: pass all.")
    in_order = [_results(shards[index + 1]) for index in range(count)]
    lengths = [len(each) for each in in_order]
    if sorted(lengths, reverse=True) != lengths or lengths[0] - lengths[-1] > 1:
        raise UsageError(
            f"the shards have {', '.join(map(str, lengths))} objects, which no run of {count} "
            "shards gives: pass complete results with one --limit."
        )
    results = [each for each in chain.from_iterable(zip_longest(*in_order)) if each is not None]
    subject = {key: getattr(first, key) for key in SUBJECT}
    settings = first.settings
    return NocReport(
        first.benchmark,
        first.objects_in_benchmark,
        subject,
        settings.for_evaluation(),
        settings.threads,
        settings.jobs,
        results,
    )


def _identity(run: NocRun) -> dict[str, Any]:
    """What all shards of a run have in common."""
    count = None if run.shard is None else run.shard[1]
    settings = run.settings.model_dump(exclude={"jobs"})
    common = {key: getattr(run, key) for key in ("benchmark", "objects_in_benchmark", *SUBJECT)}
    return {**common, "number of shards": count, **settings}


def _difference(run: NocRun, other: NocRun) -> str:
    mine, theirs = _identity(run), _identity(other)
    key = next(key for key in mine if mine[key] != theirs[key])
    return f"{key} {mine[key]} and {theirs[key]}"


def _results(run: NocRun) -> Sequence[SampleResult]:
    try:
        return [object_from_dict(each.model_dump()) for each in run.per_object]
    except ValueError as error:
        raise UsageError(
            f"an object of {run.file} does not have {error}: measure the shard again."
        ) from error
