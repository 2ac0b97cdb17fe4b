"""The pool in memory: no slot and no waiter is left behind, and the token file is followed."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat2api.errors import Blame, ClientGone, Overloaded
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, Need, Outcome
from chat2api.store.memory_pool import MemoryPool
from chat2api.store.token_file import read_accounts

MakePool = Callable[..., MemoryPool]
Turns = Callable[..., Any]


def is_clean(pool: MemoryPool) -> bool:
    return not pool._waiters and not any(entry.running for entry in pool._entries)


def test_a_waiter_cancelled_as_it_is_served_leaks_nothing(
    make_pool: MakePool, need: Need, call: Call, turns: Turns
) -> None:
    pool = make_pool("a")
    for _ in range(100):
        leaving = Call(math.inf)
        with pool.lease(need, call):
            turn = turns(pool, need, leaving)
            canceller = threading.Thread(target=leaving.cancel, args=[ClientGone("Gone.")])
            canceller.start()
        canceller.join()
        turn.end()
        assert is_clean(pool)


def test_a_waiter_who_waited_too_long_leaves_nothing(
    make_pool: MakePool, need: Need, call: Call
) -> None:
    pool = make_pool("a", queue_seconds=0.02)
    with pool.lease(need, call), pytest.raises(Overloaded), pool.lease(need, call):
        pass
    assert is_clean(pool)


def test_a_waiter_who_was_killed_leaves_nothing(
    make_pool: MakePool, need: Need, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is told to stop raises in whatever waits."""

    def killed(*_: object) -> bool:
        raise SystemExit

    pool = make_pool("a")
    with pool.lease(need, call):
        monkeypatch.setattr(threading.Event, "wait", killed)
        with pytest.raises(SystemExit), pool.lease(need, call):
            pass
    assert is_clean(pool)


# --- the file


def told(pool: MemoryPool, need: Need, call: Call, blame: Blame) -> None:
    """A turn that ends so."""
    with pool.lease(need, call) as lease:
        pool.report(lease, Outcome(blame, need.model))


def write(path: Path, *names: str) -> None:
    path.write_text("".join(f"fk-{name}\n" for name in names))


@pytest.fixture
def from_file(make_pool: MakePool, tmp_path: Path) -> tuple[MemoryPool, Path]:
    path = tmp_path / "token.txt"
    write(path, "a", "b")
    return make_pool(load=lambda: read_accounts(path, "chatgpt"), watch=path), path


def tokens(pool: MemoryPool, need: Need, call: Call, times: int) -> list[str]:
    found = []
    for _ in range(times):
        with pool.lease(need, call) as lease:
            secret = lease.account.credential.access_token
            assert secret is not None
            found.append(secret.reveal())
    return found


def test_new_lines_are_picked_up_and_standings_kept(
    from_file: tuple[MemoryPool, Path], need: Need, call: Call, clock: Any
) -> None:
    pool, path = from_file
    told(pool, need, call, Blame.NEEDS_LOGIN)
    write(path, "a", "b", "c")
    clock.now += 1.9
    assert tokens(pool, need, call, 2) == ["fk-b", "fk-b"]
    clock.now += 0.2
    assert sorted(tokens(pool, need, call, 2)) == ["fk-b", "fk-c"]
    assert sorted(standing.needs_login for standing in pool.standings().values()) == [
        False,
        False,
        True,
    ]


def test_an_account_taken_off_the_file_serves_no_more(
    from_file: tuple[MemoryPool, Path], need: Need, call: Call, clock: Any
) -> None:
    pool, path = from_file
    with pool.lease(need, call) as lease:
        write(path, "b")
        clock.now += 3
        assert tokens(pool, need, call, 2) == ["fk-b", "fk-b"]
        pool.report(lease, Outcome(Blame.NEEDS_LOGIN, "m"))  # of an account that is no more
    path.unlink()
    clock.now += 3
    assert pool.is_empty()


def test_waiters_get_an_account_that_was_added(
    from_file: tuple[MemoryPool, Path],
    need: Need,
    turns: Turns,
    clock: Any,
) -> None:
    pool, path = from_file
    turns(pool, need), turns(pool, need)
    waiting = turns(pool, need)
    write(path, "a", "b", "c")
    clock.now += 3
    assert not pool.is_empty()  # somebody looks
    waiting.served()
    assert isinstance(waiting.got, str)


def test_a_file_that_cannot_be_read_changes_nothing(
    make_pool: MakePool,
    need: Need,
    call: Call,
    clock: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "token.txt"
    write(path, "a")
    broken: list[OSError] = []

    def load() -> list[Account]:
        for error in broken:
            raise error
        return read_accounts(path, "chatgpt")

    pool = make_pool(load=load, watch=path)
    broken.append(PermissionError(13, "Permission denied"))
    write(path, "a", "b")
    clock.now += 3
    with caplog.at_level(logging.WARNING):
        assert tokens(pool, need, call, 2) == ["fk-a", "fk-a"]
    assert caplog.messages == [
        "the accounts cannot be read, keeping those of before: Permission denied"
    ]
    broken.clear()
    clock.now += 3
    assert len(set(tokens(pool, need, call, 2))) == 2
