"""One caller's request: cancelled once, and everything that waits for it wakes."""

from __future__ import annotations

import math
import threading
import time

import pytest

from chat2api.errors import ClientGone, ShuttingDown, UpstreamTimeout
from chat2api.lifetime.call import Call

GONE = ClientGone("The caller hung up.")


@pytest.fixture
def call() -> Call:
    return Call(math.inf, "req-1")


def test_a_fresh_call_goes_on(call: Call) -> None:
    call.check()
    assert call.error is None
    assert call.request_id == "req-1"
    assert call.remaining() == math.inf


def test_remaining_counts_down_and_below_zero() -> None:
    now = time.monotonic()
    assert 59 < Call(now + 60).remaining() <= 60
    assert Call(now - 1).remaining() < 0


def test_the_first_to_cancel_wins(call: Call) -> None:
    assert call.cancel(GONE) is True
    assert call.cancel(ShuttingDown("Too late.")) is False
    with pytest.raises(ClientGone) as caught:
        call.check()
    assert caught.value is GONE


def test_a_waiting_hook_runs_once(call: Call) -> None:
    woken: list[str] = []
    with call.waking(lambda: woken.append("socket")), call.waking(lambda: woken.append("job")):
        call.cancel(GONE)
        call.cancel(GONE)
    assert sorted(woken) == ["job", "socket"]


def test_a_hook_on_a_cancelled_call_runs_at_once(call: Call) -> None:
    call.cancel(GONE)
    woken: list[str] = []
    with call.waking(lambda: woken.append("late")):
        assert woken == ["late"]
    assert woken == ["late"]


def test_a_hook_is_gone_after_its_block_however_it_ends(call: Call) -> None:
    woken: list[str] = []
    with call.waking(lambda: woken.append("left")):
        pass
    with pytest.raises(UpstreamTimeout), call.waking(lambda: woken.append("raised")):
        raise UpstreamTimeout("Silence.")
    call.cancel(GONE)
    assert woken == []


def test_cancelling_wakes_another_thread(call: Call) -> None:
    waiting, woken = threading.Event(), threading.Event()

    def wait() -> None:
        with call.waking(woken.set):
            waiting.set()
            woken.wait(5)

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(5)
    call.cancel(GONE)
    thread.join(5)
    assert not thread.is_alive()
    assert woken.is_set()


def test_of_many_who_cancel_at_once_one_wins(call: Call) -> None:
    ready = threading.Barrier(8)
    wins: list[bool] = []
    woken: list[None] = []

    def race() -> None:
        ready.wait(5)
        wins.append(call.cancel(ClientGone("me first")))

    with call.waking(lambda: woken.append(None)):
        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert sorted(wins) == [False] * 7 + [True]
    assert woken == [None]
