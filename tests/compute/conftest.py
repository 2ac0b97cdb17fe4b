"""A pool whose children know some more tasks: ways to misbehave, and looks inside."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chat2api.compute.pool import ComputePool
from chat2api.lifetime.call import Call

MORE_TASKS = textwrap.dedent(
    """
    import os, pathlib, signal, sys, time
    from chat2api.compute.child import main
    from chat2api.compute.tasks import TASKS


    def spin(marker):
        pathlib.Path(marker).write_text(str(os.getpid()))
        while True:
            pass


    def die_once(marker):
        path = pathlib.Path(marker)
        if path.exists():
            return "survived"
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)


    main({
        **TASKS,
        "echo": lambda *args: args,
        "modules": lambda: sorted(sys.modules),
        "pid": os.getpid,
        "nice": lambda: os.nice(0),
        "divide": lambda a, b: a / b,
        "sleep": time.sleep,
        "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "die_once": die_once,
        "spin": spin,
        "unpicklable": lambda: (lambda: None),
        "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
    })
    """
)


@pytest.fixture
def child_command(tmp_path: Path) -> tuple[str, ...]:
    script = tmp_path / "more_tasks.py"
    script.write_text(MORE_TASKS)
    return sys.executable, str(script)


@pytest.fixture
def make_pool(child_command: tuple[str, ...]) -> Iterator[Callable[[int], ComputePool]]:
    pools: list[ComputePool] = []

    def make(processes: int) -> ComputePool:
        pools.append(ComputePool(processes, child_command))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def pool(make_pool: Callable[[int], ComputePool]) -> ComputePool:
    return make_pool(1)


@pytest.fixture
def call() -> Call:
    return Call(math.inf)
