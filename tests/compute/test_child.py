"""What a compute child is and is not, seen from its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import Any

import psutil
import pytest

from chat2api.compute.pool import ComputePool
from chat2api.compute.protocol import ComputeFailed
from chat2api.lifetime.call import Call

UNSOLVABLE = ("sha3", "seed", "0" * 128, (b"[1,", b",2,", b",3]"), 1, 10**9)


def test_a_child_holds_nothing_of_the_server(pool: ComputePool, call: Call) -> None:
    loaded = set(pool.run("modules", call=call, timeout_seconds=10))

    assert loaded.isdisjoint({"flask", "gevent", "requests", "gunicorn", "rs_bpe", "pydantic"})
    ours = {name for name in loaded if name.startswith("chat2api.")}
    assert ours == {
        "chat2api.compute",
        "chat2api.compute.child",
        "chat2api.compute.frames",
        "chat2api.compute.lanes",
        "chat2api.compute.pow",
        "chat2api.compute.tasks",
    }


def test_a_child_computes_at_lower_priority_and_ignores_ctrl_c(
    pool: ComputePool, call: Call
) -> None:
    assert pool.run("nice", call=call, timeout_seconds=10) == min(os.nice(0) + 10, 19)
    pid = pool.run("pid", call=call, timeout_seconds=10)

    pool.run("interrupt", call=call, timeout_seconds=10)

    assert pool.run("pid", call=call, timeout_seconds=10) == pid
    assert os.getsid(pid) != os.getsid(0)


@pytest.mark.parametrize(
    ("task", "args", "reason"),
    [
        ("divide", (1, 0), "divide failed: ZeroDivisionError: division by zero"),
        ("nonsense", (), "nonsense failed: KeyError: 'nonsense'"),
    ],
)
def test_a_task_that_raises(
    pool: ComputePool, call: Call, task: str, args: tuple[Any, ...], reason: str
) -> None:
    pid = pool.run("pid", call=call, timeout_seconds=10)

    with pytest.raises(ComputeFailed) as caught:
        pool.run(task, *args, call=call, timeout_seconds=10)

    assert str(caught.value) == reason
    assert pool.run("pid", call=call, timeout_seconds=10) == pid


def test_a_result_that_cannot_travel(pool: ComputePool, call: Call) -> None:
    with pytest.raises(ComputeFailed, match="unpicklable failed"):
        pool.run("unpicklable", call=call, timeout_seconds=10)


def test_a_killed_parent_takes_its_children_along_even_in_mid_search() -> None:
    script = textwrap.dedent(
        f"""
        import math, threading, time, psutil
        from chat2api.compute.pool import ComputePool
        from chat2api.lifetime.call import Call

        pool = ComputePool(2)
        for _ in range(2):
            threading.Thread(
                target=pool.run,
                args=("search_proof", *{UNSOLVABLE!r}, 60.0),
                kwargs={{"call": Call(math.inf), "timeout_seconds": 60}},
            ).start()
        busy = []
        while len(busy) < 2:
            time.sleep(0.02)
            children = psutil.Process().children()
            busy = [child.pid for child in children if child.cpu_times().user > 0.1]
        print(*busy, flush=True)
        time.sleep(60)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
        parent.wait(10)

    assert len(pids) == 2
    give_up = time.monotonic() + 5
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < give_up, "they outlived their parent"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
