"""What the pool knows outlives SIGKILL; several workers act as one (A05, A09, A11, C03, G05, G06)."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chat2api.store.api_keys import ApiKeys

from .part2 import kill, start_again, tokens_route
from .pools import pool_at, refreshes

pytestmark = pytest.mark.timeout(120)


def test_limits_survive_sigkill(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    """A09, A11: the same accounts, the same waits to the second, and nobody asks upstream meanwhile."""
    server = brief_server(tokens=new_tokens(2), RETRY_TIMES="1", WORKERS="2", RANDOM_TOKEN="false")
    upstream.control(
        "next",
        [
            {"fault": "rate", "params": {"seconds": 300}},
            {"fault": "rate", "params": {"seconds": 200}},
        ],
    )
    assert ask(server).code == "account_pool_exhausted"
    free_at = time.time() + 200
    assert ask(server, model="gpt-5-mini").status == 200
    seen = len(turns())
    kill(server)
    start_again(server)
    for _ in range(6):  # by both workers
        answer = ask(server)
        assert (answer.status, answer.code) == (429, "account_pool_exhausted")
        assert abs(int(answer.headers["Retry-After"]) - (free_at - time.time())) <= 2
    assert len(turns()) == seen
    assert ask(server, model="gpt-5-mini").status == 200


def test_distrust_survives_sigkill(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    """A05: as many accounts as there are tries, each rests, and a restart does not end that."""
    server = brief_server(tokens=new_tokens(4), RETRY_TIMES="2")
    answer = ask(server, "/sim text fault=forbidden")
    assert (answer.status, answer.code) == (502, "upstream_access_denied")
    assert len({turn["account"] for turn in turns()}) == 3
    rests_until = time.time() + 600
    kill(server)
    start_again(server)
    assert ask(server).status == 200  # the fourth
    assert ask(server, "/sim text fault=forbidden").status in (429, 502)
    seen = len(turns())
    answer = ask(server)
    assert (answer.status, answer.code) == (429, "account_pool_exhausted")
    assert abs(int(answer.headers["Retry-After"]) - (rests_until - time.time())) <= 5
    assert len(turns()) == seen
    with pool_at(server.data_dir) as pool:
        assert Counter(pool.states().values()) == {"cooling": 4}


def test_what_ran_at_sigkill_is_free_afterwards(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, dial: Any, asking: Any
) -> None:
    """A killed process keeps no slot."""
    server = brief_server(tokens=new_tokens(1), ACCOUNT_CONCURRENCY="1", QUEUE_SECONDS="5")
    wire = dial(server)
    wire.post(json.dumps(asking("/sim text fault=silence after=2 seconds=60")).encode())
    assert wire.head() == 200
    kill(server)
    start_again(server)
    assert ask(server).status == 200


@pytest.mark.parametrize("workers", ["2"])
def test_schedule_and_requests_at_the_same_moment(
    brief_server: Any, own_upstream: Any, ask: Any, workers: str
) -> None:
    """C03: two workers' timers come by while twenty requests wait for the same exchange."""
    server = brief_server(
        tokens=[],
        upstream=own_upstream.url,
        WORKERS=workers,
        ACCOUNT_CONCURRENCY="0",
        OPENAI_AUTH_TOKEN_URL=f"{own_upstream.url}/oauth/token",
    )
    own_upstream.control(
        "next", {"endpoint": "oauth_token", "fault": "hang", "params": {"seconds": 6}}
    )
    wish = {"name": "one", "refresh": "rt", "expired": True}
    account = own_upstream.control("accounts", wish)
    tokens_route(server, "upload", account["refresh_token"])
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: ask(server), range(20)))
    assert Counter(answer.status for answer in answers) == {200: 20}
    assert [one["outcome"] for one in refreshes(own_upstream)] == ["rotated"]


def test_a_change_of_a_key_counts_on_all_workers(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any
) -> None:
    """G05: two seconds later no worker serves it any more; what it may not, it may nowhere."""
    server = brief_server(tokens=new_tokens(2), WORKERS="2", ACCOUNT_CONCURRENCY="0")
    with pool_at(server.data_dir) as pool, ThreadPoolExecutor(20) as crowd:
        keys = ApiKeys(pool.store)
        revoked, secret = keys.create("to be revoked")
        _, ending = keys.create("ends soon", expires_at=time.time() + 4)
        _, usage = keys.create("sees usage only", scopes=["usage"])
        _, mini = keys.create("one model", models=["gpt-5-mini"])

        def statuses(key: Any, count: int = 20, **more: Any) -> Counter[Any]:
            answers = crowd.map(lambda _: ask(server, key=key.reveal(), **more), range(count))
            return Counter((answer.status, answer.code) for answer in answers)

        assert statuses(secret) == {(200, None): 20}
        assert statuses(ending) == {(200, None): 20}
        keys.revoke(revoked.key_id)
        time.sleep(2)
        assert statuses(secret) == {(401, "invalid_api_key"): 20}
        assert statuses(usage, 4) == {(403, "key_scope"): 4}
        assert statuses(mini, 4, model="gpt-5-5") == {(403, "model_not_allowed"): 4}
        assert statuses(mini, 4, model="gpt-5-mini") == {(200, None): 4}
        time.sleep(2)
        assert statuses(ending) == {(401, "invalid_api_key"): 20}


def test_fifty_at_once_at_a_limit(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any
) -> None:
    """G06: exactly ten of a minute's ten, exactly one of a budget with room for one, over two workers."""
    server = brief_server(tokens=new_tokens(2), WORKERS="2", ACCOUNT_CONCURRENCY="0")
    with pool_at(server.data_dir) as pool, ThreadPoolExecutor(50) as crowd:
        keys = ApiKeys(pool.store)
        _, rated = keys.create("ten a minute", requests_per_minute=10)
        _, poor = keys.create("one unit", daily_tokens=1)
        away = time.time() % 60
        if away > 45:  # the minute would end in between
            time.sleep(61 - away)
        for key, passed, code in (
            (rated, 10, "rate_limit_exceeded"),
            (poor, 1, "insufficient_quota"),
        ):
            answers = list(crowd.map(lambda _, k=key: ask(server, key=k.reveal()), range(50)))
            refused = [answer for answer in answers if answer.status != 200]
            assert len(answers) - len(refused) == passed
            assert {(answer.status, answer.code) for answer in refused} == {(429, code)}
            for answer in refused:
                kind = "requests" if code == "rate_limit_exceeded" else "tokens"
                assert int(answer.headers["Retry-After"]) >= 1
                assert answer.headers[f"x-ratelimit-remaining-{kind}"] == "0"
