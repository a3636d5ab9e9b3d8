"""One runtime, several threads: every session gets the answer it gets alone."""

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ritm_edge import InteractiveSession, open_runtime
from ritm_edge.runtimes.base import FileRuntime, ModelFile

from ..runtimes import tiny_reference
from .artifacts import SPEC, TARGETS

THREADS = 4
ROUNDS = 6


@pytest.fixture
def photos():
    """Different for every thread, each with one bright disk."""
    rows, columns = np.mgrid[:90, :120]
    found = []
    for number in range(THREADS):
        image = np.random.default_rng(number).integers(0, 90, (90, 120, 3), dtype=np.uint8)
        image[(rows - 25 - 10 * number) ** 2 + (columns - 30 - 15 * number) ** 2 < 300] = 230
        found.append(image)
    return found


def clicked(runtime, image, number):
    """Probabilities after two clicks of a new session, which depend on its own masks."""
    session = InteractiveSession(runtime)
    session.set_image(image)
    session.click(25 + 10 * number, 30 + 15 * number)
    session.click(5, 110 - 5 * number, positive=False)
    return session.probabilities.copy()


def require_safe(runtime, photos):
    alone = [clicked(runtime, image, number) for number, image in enumerate(photos)]
    for one, other in itertools.pairwise(alone):
        assert not np.array_equal(one, other)
    start = threading.Barrier(THREADS)

    def work(number):
        start.wait()
        return [clicked(runtime, photos[number], number) for _ in range(ROUNDS)]

    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(work, range(THREADS)))
    for expected, results in zip(alone, together, strict=True):
        for result in results:
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("exported", TARGETS, indirect=True)
def test_artifacts(exported, photos):
    require_safe(open_runtime(exported[1].path, threads=1), photos)


def test_pytorch(photos):
    require_safe(tiny_reference(), photos)


class Slow(FileRuntime):
    """An engine that answers with whatever was put into its only buffer last."""

    name = "slow"

    def __init__(self, *, parallel):
        self.parallel = parallel
        super().__init__(ModelFile(Path("slow")), SPEC)
        self.buffer = np.zeros(1)

    def _compute(self, arrays):
        self.buffer = arrays["image"]
        threading.Event().wait(0.002)
        return {"mask": (self.buffer[:, :1] / 255).astype(np.float32)}


def test_this_test_finds_an_engine_with_one_buffer(photos):
    require_safe(Slow(parallel=False), photos)
    with pytest.raises(AssertionError):
        require_safe(Slow(parallel=True), photos)


@pytest.mark.parametrize("exported", TARGETS, indirect=True)
def test_opening_at_the_same_time_keeps_standard_error(exported, capfd):
    """LiteRT is silenced while it opens, which is a switch of the whole process."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: open_runtime(exported[1].path, threads=1), range(2 * THREADS)))
    capfd.readouterr()
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"
