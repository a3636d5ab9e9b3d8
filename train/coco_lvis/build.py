"""Making the COCO+LVIS file: every photo that has annotations of both, on several processes."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2

from ritm_edge.errors import InputFileError, UsageError

from ..broken import BROKEN_LOG, BrokenFiles, Problem
from ..datasets.run_lengths import encode
from .jobs import SPLITS, Job, find_jobs
from .rule import RULES, Merged, Rule, merge
from .store import Annotation, Writer

FILE = "coco_lvis_{}.sqlite"
BATCH = 64  # photos per transaction: what a kill can cost


# Name of a photo, its result (None where it cannot be used), and what is wrong.
Done = tuple[str, Annotation | None, list[str]]


def combine(
    split: str,
    *,
    coco: Path,
    lvis: Path,
    output: Path,
    rule: Rule,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Merge one split ("train" or "val") of COCO 2017 and LVIS v1, in their folders or those above,
    into `output`/coco_lvis_SPLIT.sqlite; resumes where it was stopped. 0 `workers` work in this
    process.

    Returns counts: photos, objects, from_coco, from_lvis, stuff, dropped_coco, dropped_lvis,
    broken. Raises DatasetError: no such data sets, annotations that cannot be read, or an `output`
    of another rule; TrainingError: more than one photo in a hundred is broken; OutputFileError:
    `output` cannot be written.
    """
    jobs = find_jobs(split, coco=coco, lvis=lvis, rule=rule)
    path = output / FILE.format(split)
    broken = BrokenFiles(path.with_name(f"{split}-{BROKEN_LOG}"), photos=len(jobs))
    with closing(Writer(path, {"rule": rule.name})) as writer:
        there = writer.names()
        waiting = [job for job in jobs if job.name not in there]
        pending: list[tuple[str, Annotation]] = []
        count = len(jobs) - len(waiting)
        for name, annotation, problems in _run(waiting, workers):
            count += 1
            broken.add([Problem(name, text) for text in problems])
            if annotation is not None:
                pending.append((name, annotation))
            if len(pending) == BATCH:
                writer.add(pending)
                pending.clear()
            if progress is not None:
                progress(count, len(jobs))
        writer.add(pending)
        total: Counter[str] = Counter()
        for held in writer.annotations():
            total.update(held.counts)
            total["photos"] += 1
        writer.finish()
    return {**dict.fromkeys(COUNTS, 0), **total, "broken": len(broken)}


def known_splits(names: list[str] | None) -> list[str]:
    """The splits to make: all if none is named. Raises UsageError: an unknown one."""
    unknown = [name for name in names or [] if name not in SPLITS]
    if unknown:
        raise UsageError(f"unknown split '{unknown[0]}': choose one of {', '.join(SPLITS)}.")
    return list(dict.fromkeys(names or SPLITS))


COUNTS = ("photos", "objects", "from_coco", "from_lvis", "stuff", "dropped_coco", "dropped_lvis")


def _run(jobs: list[Job], workers: int) -> Iterator[Done]:
    if not workers:
        yield from map(merge_photo, jobs)
        return
    # Spawned: a fork would copy the annotations of all photos into every process bit by bit.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(merge_photo, jobs, chunksize=8)


def merge_photo(job: Job) -> Done:
    """Read, merge and pack one photo."""
    cv2.setNumThreads(1)
    try:
        coco = job.read_coco()
    except InputFileError as error:
        return job.name, None, [str(error)]
    lvis, problems = job.read_lvis(coco.shape)
    problems = [*coco.problems, *problems]
    if not coco.things and not coco.stuff and not lvis:
        return job.name, None, [*problems, f"{job.name} has no masks at all"]
    merged = merge(coco.things, coco.stuff, lvis, RULES[job.rule])
    return job.name, _annotation(merged, coco.shape), problems


def _annotation(merged: Merged, shape: tuple[int, int]) -> Annotation:
    counts = {
        "objects": merged.instances,
        "from_coco": merged.from_coco,
        "from_lvis": merged.instances - merged.from_coco,
        "stuff": len(merged.masks) - merged.instances,
        "dropped_coco": merged.dropped_coco,
        "dropped_lvis": merged.dropped_lvis,
    }
    return Annotation(
        height=shape[0],
        width=shape[1],
        instances=merged.instances,
        masks=tuple(encode(mask) for mask in merged.masks),
        places=tuple(merged.places),
        parents=tuple(merged.parents),
        counts=counts,
    )
