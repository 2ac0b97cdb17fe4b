"""What a failure means for the account that met it, and for the next caller (A03 to A12, A26)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openai
import pytest


@pytest.fixture(scope="module")
def crowd(start_server: Any, new_tokens: Any) -> Any:
    return start_server(tokens=new_tokens(60), RETRY_TIMES="1")


@dataclass
class Place:
    """A kept conversation. Going on with it is only possible on the account that holds it, so it shows
    how that one account stands."""

    go_on: Callable[..., Any]
    account: str


@pytest.fixture
def place(crowd: Any, ask: Any, turns: Any) -> Place:
    started = ask(crowd, history_disabled=False)
    assert started.status == 200
    ids = {
        "conversation_id": started.conversation_id,
        "parent_message_id": started.message_id,
    }

    def go_on(text: str = "/sim text", **more: Any) -> Any:
        return ask(crowd, text, **ids, **more)

    return Place(go_on, turns()[0]["account"])


COOLS_10_MINUTES = (429, "account_pool_exhausted", 590, 600)
NEEDS_LOGIN = (503, "no_account_available", 1, 60)
UNHARMED = (200, None, None, None)


@pytest.mark.parametrize(
    ("fault", "status", "standing"),
    [
        ("unusual", 502, COOLS_10_MINUTES),
        ("forbidden", 502, COOLS_10_MINUTES),
        ("challenge", 502, COOLS_10_MINUTES),
        ("expired", 503, NEEDS_LOGIN),
        ("invalidated", 503, NEEDS_LOGIN),
        ("payment", 503, NEEDS_LOGIN),
        ("rate seconds=120", 429, (429, "account_pool_exhausted", 115, 120)),
        ("rate form=cap seconds=7200", 429, (429, "account_pool_exhausted", 7190, 7200)),
        ("rate form=detail", 429, (429, "account_pool_exhausted", 29, 38)),
        ("busy", 429, (429, "account_pool_exhausted", 55, 60)),
        ("model", 404, UNHARMED),
        ("unsupported", 400, UNHARMED),
        ("too_long", 400, UNHARMED),
        ("policy", 400, UNHARMED),
        ("schema", 502, UNHARMED),
        ("status", 502, UNHARMED),
        ("page", 502, UNHARMED),
        ("reset at=headers", 502, UNHARMED),
        ("empty", 502, UNHARMED),
        ("bomb mib=64", 502, UNHARMED),
    ],
)
def test_what_a_failure_does_to_its_account(
    place: Place, turns: Any, fault: str, status: int, standing: tuple[Any, ...]
) -> None:
    assert place.go_on(f"/sim text fault={fault}").status == status
    seen = len(turns())
    after = place.go_on()
    assert (after.status, after.code) == standing[:2]
    if after.status == 200:
        assert len(turns()) == seen + 1
    else:
        wait = int(after.headers["Retry-After"])
        assert standing[2] <= wait <= standing[3]
        assert len(turns()) == seen  # an account that cools is left alone
    assert {turn["account"] for turn in turns()} == {place.account}


@pytest.mark.parametrize("fault", ["arkose", "difficulty"])
def test_distrust_in_the_requirements_cools_too(place: Place, upstream: Any, fault: str) -> None:
    upstream.control("next", {"endpoint": "prepare", "fault": fault})
    assert place.go_on().status == 502
    assert place.go_on().code == "account_pool_exhausted"


def test_a_limit_of_one_model_leaves_the_others(place: Place) -> None:
    """A09"""
    assert place.go_on("/sim text fault=rate", model="gpt-5-5").status == 429
    assert place.go_on(model="gpt-5-5").code == "account_pool_exhausted"
    assert place.go_on(model="gpt-5-mini").status == 200


def test_limits_without_a_hint_grow(place: Place, crowd: Any) -> None:
    """A10, as far as it shows without waiting: each account starts with half a minute."""
    assert place.go_on("/sim text fault=rate form=empty").status == 429
    waits = int(place.go_on().headers["Retry-After"])
    assert 29 <= waits <= 38


# --- Retry-After (A12); a direct token shows the upstream's own word


@pytest.mark.parametrize(
    ("form", "least", "most"),
    [
        ("header seconds=120", 120, 120),
        ("date seconds=120", 118, 120),
        ("negative", 1, 1),
        ("years", 86_400, 86_400),
        ("clears seconds=30", 30, 30),
        ("string seconds=45", 45, 45),
        ("words seconds=300", 300, 300),
        ("span seconds=3725", 3725, 3725),
        ("resets seconds=999", 997, 999),
        ("resets seconds=9999999", 691_200, 691_200),
        ("detail", 1, 60),
        ("html", 1, 60),
        ("empty", 1, 60),
    ],
)
def test_retry_after(
    crowd: Any, upstream: Any, ask: Any, demo_tokens: Any, form: str, least: int, most: int
) -> None:
    answer = ask(crowd, f"/sim text fault=rate form={form}", key=demo_tokens[0])
    assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
    assert least <= int(answer.headers["Retry-After"]) <= most


# --- the whole pool


def test_a_limited_pool(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    """A09 and A11: the next account, then the truth about all of them, without asking upstream again."""
    server = brief_server(tokens=new_tokens(2), RETRY_TIMES="5")
    text = "/sim text fault=rate seconds=300"
    assert ask(server, f"{text} times=1").status == 200  # on the other account
    assert len({turn["account"] for turn in turns()}) == 2

    answer = ask(server, text)
    assert (answer.status, answer.code) == (429, "account_pool_exhausted")
    assert 290 <= int(answer.headers["Retry-After"]) <= 300
    assert len(turns()) == 3
    for stream in (False, True):
        again = ask(server, stream=stream)
        assert (again.status, again.code) == (429, "account_pool_exhausted")
    assert len(turns()) == 3
    assert ask(server, model="gpt-5-mini").status == 200


def test_limits_can_be_left_out_of_account(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any
) -> None:
    server = brief_server(tokens=new_tokens(1), RETRY_TIMES="0", ENABLE_LIMIT="false")
    assert ask(server, "/sim text fault=rate").status == 429
    assert ask(server).status == 200


def test_a_pool_that_needs_logins(
    brief_server: Any, new_tokens: Any, sdk: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    """A03 and A04: never the caller's 401, and a token that is dead is not shown again."""
    server = brief_server(tokens=new_tokens(2), RETRY_TIMES="5")
    assert ask(server, "/sim text fault=expired times=1").status == 200
    assert ask(server, "/sim text fault=expired").code == "no_account_available"
    seen = len(turns())
    with pytest.raises(openai.InternalServerError) as caught:
        sdk(server).chat.completions.create(
            model="gpt-5-5", messages=[{"role": "user", "content": "/sim text"}]
        )
    assert (caught.value.status_code, caught.value.code) == (503, "no_account_available")
    assert "retry-after" in caught.value.response.headers
    assert len(turns()) == seen == 3


def test_accounts_take_turns(brief_server: Any, new_tokens: Any, ask: Any, turns: Any) -> None:
    """Each in its turn; one that had a hiccup is spared while others can do the work."""
    server = brief_server(tokens=new_tokens(3), RETRY_TIMES="1", RANDOM_TOKEN="false")
    for _ in range(6):
        ask(server)
    order = [turn["account"] for turn in turns()]
    assert order[:3] == order[3:]
    assert len(set(order)) == 3

    ask(server, "/sim text fault=status times=1")
    hurt = order[0]
    for _ in range(4):
        ask(server)
    assert hurt not in [turn["account"] for turn in turns()][7:]


# --- A26: slots


@pytest.fixture
def hold(server_of_one: Any, upstream: Any, ask: Any, turns: Any, eventually: Any) -> Any:
    """hold(seconds): keep the only slot busy."""
    threads = []

    def start(seconds: float) -> None:
        text = f"/sim text fault=quiet seconds={seconds}"
        thread = threading.Thread(target=ask, args=(server_of_one, text), kwargs={"stream": True})
        thread.start()
        threads.append(thread)
        eventually(lambda: turns())

    yield start
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def server_of_one(start_server: Any, new_tokens: Any) -> Any:
    """One account that runs one turn at once; two callers may wait, not for long."""
    return start_server(
        tokens=new_tokens(1), ACCOUNT_CONCURRENCY="1", QUEUE_SECONDS="1.5", QUEUE_LENGTH="2"
    )


def test_waiting_for_a_slot(server_of_one: Any, ask: Any, hold: Any, turns: Any) -> None:
    hold(0.5)
    assert ask(server_of_one).status == 200
    first, second = turns()
    assert second["started_at"] >= first["finished_at"]


def test_waiting_in_vain(server_of_one: Any, ask: Any, hold: Any, turns: Any) -> None:
    hold(2.2)
    began = time.monotonic()
    answer = ask(server_of_one, stream=True)
    assert 1.4 < time.monotonic() - began < 2.2
    assert (answer.status, answer.code) == (503, "server_overloaded")
    assert int(answer.headers["Retry-After"]) >= 1
    assert len(turns()) == 1


def test_a_full_queue(server_of_one: Any, ask: Any, hold: Any, turns: Any, eventually: Any) -> None:
    hold(0.9)
    answers: list[Any] = []

    def wait_in_line(number: int) -> None:
        answers.append((number, ask(server_of_one, f"/sim text words={number}")))

    waiting = [threading.Thread(target=wait_in_line, args=(number,)) for number in (1, 2)]
    for thread in waiting:
        thread.start()
        time.sleep(0.1)
    began = time.monotonic()
    refused = ask(server_of_one)
    assert time.monotonic() - began < 0.3
    assert (refused.status, refused.code) == (503, "server_overloaded")
    for thread in waiting:
        thread.join()
    assert [number for number, _ in answers] == [1, 2]  # first come, first served
    assert {answer.status for _, answer in answers} == {200}
