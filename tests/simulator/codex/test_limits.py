"""What is left, in headers, in the event and in the refusal."""

from __future__ import annotations

import json

import pytest

from chat2api.simulator.accounts import Account, make_account
from chat2api.simulator.codex.limits import event, family, headers, reached, standing, take
from chat2api.simulator.quotas import Quota, Quotas


@pytest.fixture
def quotas(now: list[float]) -> Quotas:
    return Quotas(lambda: now[0])


def account(quota: Quota | None = None) -> Account:
    return make_account("ann", now=0, quota=quota)


def test_one_window(quotas: Quotas, now: list[float]) -> None:
    ann, start = account(Quota(4, 600.5)), now[0]
    assert take(quotas, ann, 0, "gpt-5.5") is None
    now[0] += 100
    stands = standing(quotas, ann, 0, now[0])
    told = dict(headers(stands, "gpt-5.5"))
    assert told["x-codex-primary-used-percent"] == "25"
    assert told["x-codex-primary-window-minutes"] == "10"
    # Rounded up, so that nobody comes back too early.
    assert told["x-codex-primary-reset-at"] == str(int(start) + 601)
    assert told["x-codex-primary-reset-after-seconds"] == "501"
    assert (told["x-codex-plan-type"], told["x-codex-active-limit"]) == ("plus", "codex")
    assert not any("secondary" in name or "reached" in name for name in told)
    primary = {"used_percent": 25, "window_minutes": 10, "reset_at": int(start) + 601}
    assert event(stands, "gpt-5.5")["rate_limits"] == {
        "allowed": True,
        "limit_reached": False,
        "primary": primary,
        "secondary": None,
    }


def test_the_end_of_a_window(quotas: Quotas, now: list[float]) -> None:
    ann = account(Quota(1, 60))
    assert take(quotas, ann, 0, "gpt-5.5") is None
    full = take(quotas, ann, 0, "gpt-5.5")
    assert full is not None
    reply = reached(full, "plus", now[0])
    assert reply.status == 429
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["error"] == {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": int(now[0]) + 60,
        "resets_in_seconds": 60,
        "eligible_promo": None,
    }
    stands = standing(quotas, ann, 0, now[0])
    told = dict(headers(stands, "gpt-5.5"))
    assert told["x-codex-rate-limit-reached-type"] == "rate_limit_reached"
    assert event(stands, "gpt-5.5")["rate_limits"]["allowed"] is False
    now[0] += 60
    assert take(quotas, ann, 0, "gpt-5.5") is None


def test_a_week_counts_beside_it(quotas: Quotas, now: list[float]) -> None:
    ann = account()
    assert [take(quotas, ann, 2, "gpt-5.5") for _ in range(2)] == [None, None]
    full = take(quotas, ann, 2, "gpt-5.5")
    assert full is not None
    assert full.resets_at == now[0] + 7 * 86_400
    stands = standing(quotas, ann, 2, now[0])
    told = dict(headers(stands, "gpt-5.5"))
    assert told["x-codex-primary-used-percent"] == "0"
    assert told["x-codex-secondary-used-percent"] == "100"
    assert told["x-codex-secondary-window-minutes"] == "10080"
    assert stands.is_full


def test_models_that_are_counted_apart(quotas: Quotas, now: list[float]) -> None:
    spark = "gpt-5.3-codex-spark"
    ann = account(Quota(1, 60, (spark,)))
    assert family(spark) == "codex-gpt-5-3-codex-spark"
    take(quotas, ann, 0, spark)
    stands = standing(quotas, ann, 0, now[0])
    told = dict(headers(stands, spark))
    assert told["x-codex-gpt-5-3-codex-spark-primary-used-percent"] == "100"
    assert told["x-codex-gpt-5-3-codex-spark-limit-name"] == spark
    assert told["x-codex-active-limit"] == "codex_gpt_5_3_codex_spark"
    assert "x-codex-rate-limit-reached-type" in told
    # The others go on.
    assert not stands.is_full
    assert "x-codex-rate-limit-reached-type" not in dict(headers(stands, "gpt-5.5"))
    assert take(quotas, ann, 0, "gpt-5.5") is None
