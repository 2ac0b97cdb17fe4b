"""Logins at rest: what is due, who may go on with one, and how one ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from chat2api.secret import Secret
from chat2api.store.desk_tables import logins
from chat2api.store.logins import (
    LEASE_SECONDS,
    SEEN_SECONDS,
    ClaimedLogin,
    Login,
    LoginBook,
    LoginResult,
    LoginSecret,
    new_login_id,
)

SECRET = LoginSecret(device_auth_id=Secret("planted-device"), proxy=Secret("http://u:planted-p@h"))
BROWSER = LoginSecret(verifier=Secret("planted-verifier"), redirect_uri="http://localhost:1455/cb")
STATE = Secret("planted-state")


@pytest.fixture
def book(store: Any) -> LoginBook:
    return LoginBook(store, "worker-1")


@pytest.fixture
def other(store: Any) -> LoginBook:
    """The same of another worker."""
    return LoginBook(store, "worker-2")


def login(now: Any, **changed: Any) -> Login:
    plain = Login(
        login_id=new_login_id(),
        kind="device",
        state="waiting",
        actor="session 1",
        account_id="",
        user_code="ABCD-1234",
        address="https://login.test/codex/device",
        interval_seconds=5.0,
        created_at=now.at,
        expires_at=now.at + 900,
        seen_at=now.at,
        ended_at=None,
        result=LoginResult(),
    )
    return replace(plain, **changed)


@pytest.fixture
def device(book: LoginBook, now: Any) -> Login:
    one = login(now)
    book.add(one, SECRET)
    return one


@pytest.fixture
def browser(book: LoginBook, now: Any) -> Login:
    one = login(now, kind="browser", user_code="", fell_back=True)
    book.add(one, BROWSER, STATE)
    return one


def claimed(book: LoginBook, only: str | None = None) -> ClaimedLogin:
    found = book.claim(only)
    assert found is not None
    return found


def test_a_login_is_kept_as_it_is(book: LoginBook, device: Login, browser: Login) -> None:
    assert book.find(device.login_id) == device
    assert book.find(browser.login_id) == browser
    assert book.find("login_none") is None
    assert [one.login_id for one in book.running()] != []


def test_nothing_secret_stands_in_a_row(
    store: Any, device: Login, browser: Login, book: LoginBook
) -> None:
    rows = store.database.read(lambda connection: connection.execute(select(logins)).all())
    assert len(rows) == 2
    assert "planted" not in repr([tuple(row) for row in rows])
    assert "planted" not in repr(book.receive(browser.login_id, Secret("planted-c"), 60))


# --- asking


def test_it_is_due_after_its_interval(
    book: LoginBook, other: LoginBook, device: Login, now: Any
) -> None:
    assert book.claim() is None
    now.at += 5
    found = claimed(book)
    assert (found.login.login_id, found.secret) == (device.login_id, SECRET)
    assert other.claim() is None
    book.release(found, 7.0, "no answer")
    kept = other.find(device.login_id)
    assert kept is not None
    assert (kept.trouble, kept.interval_seconds, kept.state) == ("no answer", 7.0, "waiting")
    now.at += 6.9
    assert other.claim() is None
    now.at += 0.1
    assert other.claim("login_other") is None
    other.release(claimed(other, device.login_id), 7.0)
    assert book.find(device.login_id).trouble == ""  # type: ignore[union-attr]


def test_twenty_askers_and_one_claim(book: LoginBook, device: Login, now: Any) -> None:
    now.at += 5
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda number: book.claim(), range(20)))
    assert len([one for one in found if one is not None]) == 1


def test_what_a_dead_worker_held_is_gone_on_with(
    book: LoginBook, other: LoginBook, device: Login, now: Any
) -> None:
    now.at += 5
    dead = claimed(book)
    now.at += LEASE_SECONDS
    mine = claimed(other)
    assert book.end(dead, "refused", LoginResult()) is False
    book.release(dead, 5.0)
    assert other.end(mine, "done", LoginResult(verdict="added")) is True


def test_nobody_is_asked_while_nobody_looks(book: LoginBook, device: Login, now: Any) -> None:
    now.at += SEEN_SECONDS
    assert book.claim() is None
    found = book.find(device.login_id)
    assert found is not None
    assert found.rests(now.at)
    looked = book.look(device.login_id)
    assert looked is not None
    assert not looked.rests(now.at)
    assert claimed(book).login.seen_at == now.at


def test_looking_is_written_down_seldom(book: LoginBook, device: Login, now: Any) -> None:
    for seconds, seen in ((10, 0.0), (10, 20.0), (10, 20.0)):
        now.at += seconds
        book.look(device.login_id)
        found = book.find(device.login_id)
        assert found is not None
        assert found.seen_at - device.seen_at == seen
    assert book.look("login_none") is None


@pytest.mark.parametrize("kind", ["device", "browser"])
def test_the_end_of_its_time_is_seen_also_when_nobody_looks(
    book: LoginBook, now: Any, kind: Any, request: pytest.FixtureRequest
) -> None:
    one: Login = request.getfixturevalue(kind)
    now.at += 899
    assert book.claim() is None
    now.at += 1
    assert book.running() == []
    found = claimed(book)
    assert book.end(found, "expired", LoginResult(why="expired"))
    ended = book.find(one.login_id)
    assert ended is not None
    assert (ended.state, ended.ended_at, ended.is_open) == ("expired", now.at, False)
    assert book.claim() is None


def test_a_code_is_written_down_before_it_is_used(
    book: LoginBook, other: LoginBook, device: Login, now: Any
) -> None:
    now.at += 5
    found = claimed(book)
    secret = replace(found.secret, code=Secret("ac_1"), verifier=Secret("v_1"))
    kept = book.keep_code(found, secret, 600.0)
    assert kept is not None
    now.at += SEEN_SECONDS  # it sees itself through, whoever looks
    mine = claimed(other)
    assert (mine.login.state, mine.secret) == ("exchanging", secret)
    assert other.cancel(device.login_id) is False


# --- by people


def test_the_claim_lasts_anew_for_the_exchange(
    book: LoginBook, other: LoginBook, device: Login, now: Any
) -> None:
    """Asking may have taken most of it; another worker must not show the same code meanwhile."""
    now.at += 5
    found = claimed(book)
    now.at += LEASE_SECONDS - 1
    kept = book.keep_code(found, replace(found.secret, code=Secret("planted-code")), 600)
    assert kept is not None
    now.at += LEASE_SECONDS - 1
    assert other.claim() is None
    assert book.end(kept, "done", LoginResult("new", "acc_1"))


def test_a_code_is_taken_once_and_in_time(book: LoginBook, browser: Login, now: Any) -> None:
    assert book.is_state(browser.login_id, "planted-state")
    assert not book.is_state(browser.login_id, "planted-stat\xe9")
    assert not book.is_state("login_none", "")
    found = book.receive(browser.login_id, Secret("ac_1"), 600.0)
    assert found is not None
    assert found.secret == replace(BROWSER, code=Secret("ac_1"))
    assert book.receive(browser.login_id, Secret("ac_2"), 600.0) is None
    assert not book.is_state(browser.login_id, "planted-state")
    late = login(now, kind="browser")
    book.add(late, BROWSER, STATE)
    now.at += 900
    assert book.receive(late.login_id, Secret("ac_1"), 600.0) is None


def test_a_person_may_give_up(book: LoginBook, device: Login, browser: Login, now: Any) -> None:
    now.at += 5
    found = claimed(book)
    assert book.cancel(device.login_id) is True
    assert book.cancel(device.login_id) is False
    assert book.keep_code(found, found.secret, 600.0) is None
    assert book.refuse(browser.login_id, LoginResult(why="refused", detail="d" * 999)) is True
    refused = book.find(browser.login_id)
    assert refused is not None
    assert (refused.state, len(refused.result.detail)) == ("refused", 300)


def test_secrets_go_when_it_ends(store: Any, book: LoginBook, device: Login) -> None:
    book.cancel(device.login_id)
    query = select(logins.c.secret, logins.c.state_hash)
    assert store.database.read(lambda connection: connection.execute(query).one()) == (None, None)


@pytest.mark.parametrize("damaged", ["", "{", "[1]"])
def test_damaged_rows_are_no_surprise(
    store: Any, book: LoginBook, device: Login, now: Any, damaged: str
) -> None:
    store.database.write(
        lambda connection: connection.execute(update(logins).values(result=damaged, secret=damaged))
    )
    now.at += 5
    found = claimed(book)
    assert (found.secret, found.login.result) == (LoginSecret(), LoginResult())


def test_old_ones_are_forgotten(book: LoginBook, device: Login, now: Any) -> None:
    assert book.prune() == 0
    now.at += 8 * 86_400
    assert book.prune() == 1
    assert book.find(device.login_id) is None
