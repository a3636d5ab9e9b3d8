"""Evaluates objects in this process or in several; the results do not depend on how many.

Every process opens the file for itself with the same number of threads, and objects share nothing:
that is all it takes.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection

from ritm_edge.data import Sample
from ritm_edge.devices.pipe import THREAD_VARIABLES
from ritm_edge.devices.server import forget_peak_memory, peak_memory_bytes
from ritm_edge.errors import RitmEdgeError
from ritm_edge.evaluation.loop import EvaluationSettings, SampleResult, evaluate_sample
from ritm_edge.runtimes.base import Runtime, RuntimeSource

_runtime: Runtime  # of a worker process


def evaluate_all(
    runtime: Runtime,
    samples: Sequence[Sample],
    settings: EvaluationSettings,
    *,
    jobs: int = 1,
    threads: int | None = None,
) -> Iterator[SampleResult]:
    """Yield results as they are finished, in any order where there are several processes, which
    open `runtime` again with `threads` CPU threads each; 1 job evaluates here. Raises
    RitmEdgeError: as `evaluate_sample`, or a process was killed."""
    jobs = min(jobs, len(samples))
    if jobs <= 1:
        for sample in samples:
            yield _measured(runtime, sample, settings)
        return
    # Not fork: runtimes have threads by now, which a forked process would lack.
    context = multiprocessing.get_context("spawn")
    ended, lifeline = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(runtime.source, ended)
    )
    try:
        with _environment(threads):
            futures = [pool.submit(_evaluate, sample, settings) for sample in samples]
        for future in as_completed(futures):
            yield future.result()
    except BaseException as error:
        lifeline.close()
        if isinstance(error, BrokenProcessPool):
            raise RitmEdgeError(
                f"a process of the evaluation of {runtime.label} was killed, perhaps for lack of "
                f"memory: run the same command again with fewer --jobs than {jobs}; finished "
                "objects are kept in the journal."
            ) from error
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        lifeline.close()
        ended.close()


@contextmanager
def _environment(threads: int | None) -> Iterator[None]:
    """Lets BLAS and OpenMP of the processes started inside read the number of threads."""
    before = {name: os.environ.pop(name, None) for name in THREAD_VARIABLES}
    wanted = before if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))
    try:
        os.environ |= {name: value for name, value in wanted.items() if value is not None}
        yield
    finally:
        for name in THREAD_VARIABLES:
            os.environ.pop(name, None)
        os.environ |= {name: value for name, value in before.items() if value is not None}


def _start(source: RuntimeSource, ended: Connection) -> None:
    global _runtime
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_the_parent, args=(ended,), daemon=True).start()
    _runtime = source.open()


def _end_with_the_parent(ended: Connection) -> None:
    """A worker whose parent was killed would otherwise wait for work forever."""
    ended.poll(None)  # nothing is ever sent: it is readable once the parent's end is closed
    os._exit(1)


def _evaluate(sample: Sample, settings: EvaluationSettings) -> SampleResult:
    return _measured(_runtime, sample, settings)


def _measured(runtime: Runtime, sample: Sample, settings: EvaluationSettings) -> SampleResult:
    forget_peak_memory()
    result = evaluate_sample(runtime, sample, settings)
    return replace(result, peak_memory_bytes=peak_memory_bytes())
