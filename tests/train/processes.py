"""Runs a function in several processes that form a team over gloo."""

import multiprocessing
import os
import pickle
import socket
import traceback
from collections.abc import Callable
from typing import Any

import torch

from ritm_edge.train.distributed import DistributedContext, joined_team

SECONDS = 120


def run_team(function: Callable[..., Any], *arguments: Any, size: int = 2) -> list[Any]:
    """What `function(team, *arguments)` returns in each process, by rank.

    The function and its arguments must be picklable. An exception in a process fails the test
    with that process's traceback.
    """
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    port = _free_port()
    processes = [
        context.Process(target=_member, args=(rank, size, port, results, function, arguments))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    answers: dict[int, Any] = {}
    try:
        for _ in processes:
            rank, fine, answer = results.get(timeout=SECONDS)
            assert fine, answer
            answers[rank] = pickle.loads(answer)
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    return [answers[rank] for rank in range(size)]


def _member(
    rank: int, size: int, port: int, results: Any, function: Callable[..., Any], arguments: Any
) -> None:
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(size),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    try:
        with joined_team("cpu") as team:
            assert isinstance(team, DistributedContext)
            # As bytes: a queue shares tensors' memory, which ends with the process.
            results.put((rank, True, pickle.dumps(function(team, *arguments))))
    except BaseException:
        results.put((rank, False, traceback.format_exc()))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
