"""The compute pool with real child processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from chat2api.compute.pool import ComputePool
from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.errors import ClientGone
from chat2api.lifetime.call import Call

MakePool = Callable[[int], ComputePool]

UNSOLVABLE = ("sha3", "seed", "0" * 128, (b"[1,", b",2,", b",3]"), 1, 10**9)


class Background:
    """Runs a call of the pool in a thread and keeps what came of it."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._run = run
        self._thread = threading.Thread(target=self._body)
        self._thread.start()

    def _body(self) -> None:
        try:
            self.result = self._run()
        except BaseException as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.005)


def started(marker: Path) -> int:
    """The pid of the child that runs the `spin` task with this marker."""
    wait_for(lambda: marker.exists() and marker.read_text() != "")
    return int(marker.read_text())


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """The children of this process that were not there before."""
    here = psutil.Process()
    before = {child.pid for child in here.children()}
    return lambda: {child.pid for child in here.children()} - before


def test_plain_values_go_there_and_back(pool: ComputePool, call: Call) -> None:
    values = ("text \ud800 汉字", 7, 0.5, b"\x00\xff", None, [1, (2, 3)], {"a": [b"b"]})

    assert pool.run("echo", *values, call=call, timeout_seconds=10) == values


def test_megabytes_go_there_and_back(pool: ComputePool, call: Call) -> None:
    text = "0123456789" * 800_000

    assert pool.run("echo", text, call=call, timeout_seconds=10) == (text,)


def test_nothing_starts_before_it_is_needed(
    make_pool: MakePool, call: Call, children: Callable[[], set[int]]
) -> None:
    pool = make_pool(4)
    assert children() == set()

    pool.run("echo", call=call, timeout_seconds=10)

    assert len(children()) == 1


def test_a_child_can_be_started_ahead(
    make_pool: MakePool, call: Call, children: Callable[[], set[int]]
) -> None:
    pool = make_pool(4)

    pool.warm()

    assert children() == {pool.run("pid", call=call, timeout_seconds=10)}


def test_children_are_reused(
    make_pool: MakePool, call: Call, children: Callable[[], set[int]]
) -> None:
    pool = make_pool(2)

    pids = {pool.run("pid", call=call, timeout_seconds=10) for _ in range(5)}

    assert pids == children()


def test_a_task_whose_process_died_is_tried_once_more(
    pool: ComputePool, call: Call, tmp_path: Path
) -> None:
    marker = str(tmp_path / "died")

    assert pool.run("die_once", marker, call=call, timeout_seconds=10) == "survived"


def test_a_task_whose_process_dies_twice_fails(
    pool: ComputePool, call: Call, children: Callable[[], set[int]]
) -> None:
    with pytest.raises(ComputeFailed, match="the process died twice during die"):
        pool.run("die", call=call, timeout_seconds=10)

    assert children() == set()
    assert pool.run("echo", 1, call=call, timeout_seconds=10) == (1,)


def test_idle_children_that_all_died_are_replaced(
    make_pool: MakePool, call: Call, children: Callable[[], set[int]]
) -> None:
    pool = make_pool(2)
    both = [
        Background(lambda: pool.run("sleep", 0.2, call=call, timeout_seconds=10)) for _ in range(2)
    ]
    for one in both:
        one.join()
    for pid in children():
        os.kill(pid, signal.SIGKILL)

    assert pool.run("echo", 1, call=call, timeout_seconds=10) == (1,)


def test_the_time_limit_stops_the_process(
    pool: ComputePool, call: Call, children: Callable[[], set[int]]
) -> None:
    pool.run("echo", call=call, timeout_seconds=10)
    begun = time.monotonic()

    with pytest.raises(ComputeTimeout):
        pool.run("search_proof", *UNSOLVABLE, 60.0, call=call, timeout_seconds=0.2)

    assert time.monotonic() - begun < 2
    assert children() == set()
    assert pool.run("echo", 1, call=call, timeout_seconds=10) == (1,)


def test_the_deadline_of_the_call_is_a_limit_too(pool: ComputePool) -> None:
    short = Call(time.monotonic() + 0.3)

    with pytest.raises(ComputeTimeout):
        pool.run("sleep", 30, call=short, timeout_seconds=60)


def test_cancelling_the_call_kills_its_process_at_once(
    pool: ComputePool, call: Call, tmp_path: Path, children: Callable[[], set[int]]
) -> None:
    marker = tmp_path / "pid"
    job = Background(lambda: pool.run("spin", str(marker), call=call, timeout_seconds=60))
    pid = started(marker)
    assert children() == {pid}
    begun = time.monotonic()

    call.cancel(ClientGone("gone"))
    job.join()

    assert isinstance(job.error, ClientGone)
    assert time.monotonic() - begun < 1
    assert children() == set()


def test_a_cancelled_call_starts_nothing(
    pool: ComputePool, call: Call, children: Callable[[], set[int]]
) -> None:
    call.cancel(ClientGone("gone"))

    with pytest.raises(ClientGone):
        pool.run("echo", call=call, timeout_seconds=10)

    assert children() == set()


def test_a_late_cancel_does_not_touch_the_next_task(pool: ComputePool, call: Call) -> None:
    kept: list[Callable[[], None]] = []

    class LateCall(Call):
        """Its hooks fire when the task is long over, as they may when cancel() is interrupted."""

        def waking(self, hook: Callable[[], None]) -> Any:
            kept.append(hook)
            return super().waking(hook)

    pid = pool.run("pid", call=LateCall(call.deadline), timeout_seconds=10)
    for hook in kept:
        hook()

    assert pool.run("pid", call=call, timeout_seconds=10) == pid


def test_more_tasks_than_processes_take_turns(
    make_pool: MakePool, call: Call, children: Callable[[], set[int]]
) -> None:
    pool = make_pool(2)
    jobs = [
        Background(lambda: pool.run("sleep", 0.05, call=call, timeout_seconds=10)) for _ in range(8)
    ]

    for job in jobs:
        job.join()

    assert [job.error for job in jobs] == [None] * 8
    assert len(children()) == 2


def test_closing_ends_running_and_waiting_tasks(
    pool: ComputePool, call: Call, tmp_path: Path, children: Callable[[], set[int]]
) -> None:
    marker = tmp_path / "pid"
    running = Background(lambda: pool.run("spin", str(marker), call=call, timeout_seconds=60))
    started(marker)
    waiting = Background(lambda: pool.run("echo", call=call, timeout_seconds=60))

    pool.close()
    running.join()
    waiting.join()

    assert isinstance(running.error, ComputeFailed)
    assert isinstance(waiting.error, ComputeFailed)
    assert children() == set()
    with pytest.raises(ComputeFailed, match="shut down"):
        pool.run("echo", call=call, timeout_seconds=10)


def test_a_pool_refuses_to_work_in_a_fork(
    pool: ComputePool, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: -1)

    with pytest.raises(RuntimeError, match="fork"):
        pool.run("echo", call=call, timeout_seconds=10)


def test_a_program_that_cannot_be_started(call: Call) -> None:
    pool = ComputePool(1, ("/nonexistent/python",))

    with pytest.raises(ComputeFailed, match="no compute process could be started"):
        pool.run("echo", call=call, timeout_seconds=10)


def test_under_gevent_a_hard_search_delays_nobody() -> None:
    """The same blocking code on green threads: a greenlet that sleeps 1 ms is hardly ever late."""
    script = textwrap.dedent(
        f"""
        from gevent import monkey
        monkey.patch_all()
        import json, math, threading, time
        from chat2api.compute.pool import ComputePool
        from chat2api.compute.protocol import ComputeTimeout
        from chat2api.lifetime.call import Call

        pool = ComputePool(2)
        lateness, done, outcomes = [], [], []

        def tick():
            while not done:
                begun = time.perf_counter()
                time.sleep(0.001)
                lateness.append(time.perf_counter() - begun - 0.001)

        def search():
            try:
                pool.run(
                    "search_proof", *{UNSOLVABLE!r}, 60.0, call=Call(math.inf), timeout_seconds=1.0
                )
            except ComputeTimeout:
                outcomes.append("stopped")

        ticker = threading.Thread(target=tick)
        ticker.start()
        searches = [threading.Thread(target=search) for _ in range(2)]
        for thread in searches:
            thread.start()
        for thread in searches:
            thread.join()
        done.append(True)
        ticker.join()
        pool.close()
        print(json.dumps([outcomes, len(lateness), sorted(lateness)[len(lateness) * 99 // 100]]))
        """
    )

    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    outcomes, ticks, p99 = json.loads(finished.stdout)
    assert outcomes == ["stopped", "stopped"]
    # Were the search in this process, there would be next to no ticks and one late by a second.
    assert ticks > 100
    assert p99 < 0.05
    assert finished.stderr == ""
