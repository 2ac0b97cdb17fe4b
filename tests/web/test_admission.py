"""Whether a key may have this turn, and what the answer tells of its limits (G05 to G08)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chat2api.chat.events import Finish, TextDelta, Usage
from chat2api.errors import UpstreamBadResponse, UpstreamTruncated
from chat2api.service.key_limits import day_in

WHOLE = [TextDelta("Hello"), Usage(20, 3, estimated=False), Finish("stop")]
CUT = UpstreamTruncated("The upstream's stream ended before the answer did.")


@pytest.fixture
def key_for(site: Any) -> Any:
    """`key_for(**limits)`: the text of a new key."""
    return lambda **limits: site.keys.create("Bob", **limits)[1].reveal()


@pytest.fixture
def used(site: Any) -> Any:
    """Tokens that the only key has used today, once every turn has ended."""

    def look() -> int:
        for thread in threading.enumerate():
            if thread.name.startswith("turn-"):
                thread.join(5)
        (key,) = site.keys.list()
        usage = site.runtime.limits._usage
        return int(usage.used_today(key.key_id, day_in("UTC")(site.store.now())))

    return look


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.get_json()["error"]["code"]


def limits_told(response: Any) -> dict[str, str]:
    return {
        name.lower().removeprefix("x-ratelimit-"): value
        for name, value in response.headers.items()
        if name.lower().startswith("x-ratelimit-")
    }


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_is_not_allowed(site: Any, key_for: Any, stream: bool) -> None:
    key = key_for(models=["gpt-5*"])
    assert code(site.ask(key=key, model="o3", stream=stream)) == (403, "model_not_allowed")
    assert code(site.ask(key=key, stream=stream)) == (403, "model_not_allowed")
    assert site.provider.turns == []
    assert site.ask(key=key, model="gpt-5-5", stream=stream).status_code == 200
    assert site.is_idle()


@pytest.mark.parametrize("stream", [False, True])
def test_requests_of_a_minute(site: Any, key_for: Any, stream: bool) -> None:
    site.store.clock.at = 600.0 + 50
    key = key_for(requests_per_minute=1)
    answer = site.ask(key=key, stream=stream)
    assert answer.status_code == 200
    assert limits_told(answer) == {
        "limit-requests": "1",
        "remaining-requests": "0",
        "reset-requests": "10s",
    }
    refused = site.ask(key=key, stream=stream)
    assert code(refused) == (429, "rate_limit_exceeded")
    assert refused.headers["Retry-After"] == "10"
    assert limits_told(refused) == limits_told(answer)
    assert len(site.provider.turns) == 1
    answer.get_data()
    assert site.is_idle()


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_of_a_day_are_counted_also_where_nobody_asked(
    site: Any, key_for: Any, used: Any, stream: bool
) -> None:
    site.plays(WHOLE)
    key = key_for(daily_tokens=30)
    answer = site.ask(key=key, stream=stream)
    assert (b"usage" in answer.get_data()) is not stream
    assert limits_told(answer)["limit-tokens"] == "30"
    assert used() == 23
    site.ask(key=key, stream=stream).get_data()
    assert used() == 46
    refused = site.ask(key=key, stream=stream)
    assert code(refused) == (429, "insufficient_quota")
    assert refused.get_json()["error"]["type"] == "insufficient_quota"
    assert limits_told(refused)["remaining-tokens"] == "0"
    assert int(refused.headers["Retry-After"]) > 0
    assert site.is_idle()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_ends_where_the_budget_does(
    site: Any, key_for: Any, used: Any, stream: bool
) -> None:
    site.plays([TextDelta("one two three four five six seven"), Finish("stop")])
    key = key_for(daily_tokens=15)
    data = site.ask(key=key, stream=stream).get_data(as_text=True)
    assert '"length"' in data
    assert "seven" not in data
    assert used() <= 15


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_event_costs_nothing(
    site: Any, key_for: Any, used: Any, stream: bool
) -> None:
    site.plays([UpstreamBadResponse("Bad.")])
    key = key_for(daily_tokens=30)
    for _ in range(3):
        assert code(site.ask(key=key, stream=stream)) == (502, "upstream_bad_response")
    assert used() == 0


def test_a_stream_that_breaks_costs_what_was_said(site: Any, key_for: Any, used: Any) -> None:
    """G08."""
    site.plays([TextDelta("Hello world"), CUT])
    key = key_for(daily_tokens=1000)
    prompt = 3 + 3 + 1 + 2  # framing, the role, "Say hi"
    assert b"upstream_truncated" in site.ask(key=key, stream=True).get_data()
    assert used() == prompt + 2


def test_a_bug_before_the_turn_leaves_no_reservation(
    site: Any, key_for: Any, used: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(daily_tokens=30)
    with monkeypatch.context() as patched:
        patched.delattr(type(site.provider), "is_slow")
        assert site.ask(key=key).status_code == 500
    site.plays(WHOLE)
    assert limits_told(site.ask(key=key))["limit-tokens"] == "30"
    assert used() == 23


def test_several_choices_are_one_request(site: Any, key_for: Any, used: Any) -> None:
    site.plays(WHOLE)
    key = key_for(daily_tokens=1000, requests_per_minute=5)
    answer = site.ask(key=key, n=3)
    assert limits_told(answer)["remaining-requests"] == "4"
    assert used() == 20 + 3 * 3


def test_while_the_store_is_away_budgets_are_closed_and_rates_open(site: Any, outage: Any) -> None:
    """G07."""
    _, budget = site.keys.create("budget", daily_tokens=1000)
    _, rate = site.keys.create("rate", requests_per_minute=1)
    for key in (budget, rate):
        assert site.ask(key=key.reveal()).status_code == 200
    outage.is_away = True
    assert code(site.ask(key=budget.reveal())) == (503, "storage_unavailable")
    assert site.ask(key=rate.reveal()).status_code == 200


def test_without_limits_none_are_told(site: Any) -> None:
    assert limits_told(site.ask()) == {}
