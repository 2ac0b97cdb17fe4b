"""What answers say of an account's allowance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.pool.values import Quota, QuotaWindow
from chat2api.providers.codex.limits import read_event, read_headers, read_usage
from chat2api.providers.protocol import AccountCheck

NOW = 1_785_000_000.0
HEADERS = {
    "x-codex-primary-used-percent": "12.5",
    "X-Codex-Primary-Window-Minutes": "300",
    "x-codex-primary-reset-at": "1785000300",
    "x-codex-secondary-used-percent": "40",
    "x-codex-secondary-window-minutes": "10080",
    "x-codex-secondary-reset-after-seconds": "400000",
    "x-codex-plan-type": "plus",
    "x-codex-credits-has-credits": "false",
    "x-codex-primary-over-secondary-limit-percent": "3",
}
SPARK = {
    "x-codex-bengalfox-limit-name": "GPT-5.3-Codex-Spark",
    "x-codex-bengalfox-primary-used-percent": "100",
    "x-codex-bengalfox-primary-window-minutes": "300",
    "x-codex-bengalfox-primary-reset-at": "1785000900",
}


def headers(**changes: str) -> Any:
    named = {f"x-codex-{name.replace('_', '-')}": value for name, value in changes.items()}
    return read_headers({**HEADERS, **named}, NOW)


def test_headers() -> None:
    assert headers().check(NOW) == AccountCheck(
        plan="plus",
        quota=Quota(
            (
                QuotaWindow("5 h", used_percent=12.5, resets_at=1785000300),
                QuotaWindow("7 d", used_percent=40.0, resets_at=NOW + 400_000),
            )
        ),
        limits={},
    )


def test_windows_are_named_by_their_length_whichever_they_are() -> None:
    found = headers(primary_window_minutes="43200", secondary_window_minutes="45").check(NOW)
    assert [window.name for window in found.quota.windows] == ["30 d", "45 min"]


def test_a_used_up_window_blocks_until_it_begins_anew() -> None:
    assert headers(secondary_used_percent="100").blocked(NOW) == {"codex": NOW + 400_000}
    both = headers(secondary_used_percent="100", primary_used_percent="104")
    assert both.blocked(NOW) == {"codex": NOW + 400_000}
    assert headers(primary_used_percent="100").blocked(1785000301) == {}
    untold = read_headers({"x-codex-primary-used-percent": "100"}, NOW)
    assert untold is not None
    assert untold.blocked(NOW) == {"codex": NOW + 3600}


@pytest.mark.parametrize("name", ["credits_has_credits", "credits_unlimited"])
def test_credits_go_on_where_a_window_ends(name: str) -> None:
    assert headers(primary_used_percent="100", **{name: "True"}).blocked(NOW) == {}


def test_further_families_are_found_and_named_after_their_model() -> None:
    found = read_headers({**SPARK, **HEADERS}, NOW)
    assert found is not None
    assert found.blocked(NOW) == {"gpt-5.3-codex-spark": 1785000900}
    names = [window.name for window in found.check(NOW).quota.windows]
    assert names == ["5 h", "7 d", "gpt-5.3-codex-spark · 5 h"]
    del (nameless := dict(SPARK))["x-codex-bengalfox-limit-name"]
    found = read_headers(nameless, NOW)
    assert found is not None
    assert list(found.blocked(NOW)) == ["codex-bengalfox"]


def test_a_window_of_zeros_is_not_there() -> None:
    zeros = {
        "x-codex-secondary-used-percent": "0",
        "x-codex-secondary-window-minutes": "0",
        "x-codex-secondary-reset-at": "0",
    }
    found = read_headers({**HEADERS, **zeros}, NOW)
    assert found is not None
    assert [window.name for window in found.check(NOW).quota.windows] == ["5 h"]


@pytest.mark.parametrize("given_headers", [{}, {"x-ratelimit-limit-requests": "5"}])
def test_headers_that_say_nothing(given_headers: dict[str, str]) -> None:
    assert read_headers(given_headers, NOW) is None


@settings(max_examples=80)
@given(
    st.dictionaries(
        st.sampled_from([*HEADERS, *SPARK]).map(str.lower),
        st.one_of(st.sampled_from(["nan", "inf", "1e400", "-1", "100", ""]), st.text(max_size=12)),
    )
)
def test_odd_headers_break_nothing(odd: dict[str, str]) -> None:
    found = read_headers(odd, NOW)
    if found is not None:
        check = found.check(NOW)
        assert all(0 <= (one.used_percent or 0) <= 100 for one in check.quota.windows)
        assert all(until > NOW for until in (check.limits or {}).values())


# --- events


def event(**limits: Any) -> dict[str, Any]:
    primary = {"used_percent": 12, "window_minutes": 300, "reset_at": 1785000300}
    return {
        "type": "codex.rate_limits",
        "plan_type": "plus",
        "rate_limits": {"allowed": True, "limit_reached": False, "primary": primary, **limits},
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
        "metered_limit_name": "codex",
    }


def test_events() -> None:
    found = read_event(event(secondary=None), NOW)
    assert found is not None
    assert found.check(NOW) == AccountCheck(
        plan="plus",
        quota=Quota((QuotaWindow("5 h", used_percent=12.0, resets_at=1785000300),)),
        limits={},
    )
    refused = read_event(event(allowed=False), NOW)
    assert refused is not None
    assert refused.blocked(NOW) == {"codex": 1785000300}


@pytest.mark.parametrize("odd", [{}, {"rate_limits": None}, {"rate_limits": {"primary": []}}])
def test_events_that_say_nothing(odd: dict[str, Any]) -> None:
    assert read_event(odd, NOW) is None


# --- usage

USAGE = {
    "email": "a@example.com",
    "plan_type": "pro",
    "rate_limit": {
        "allowed": True,
        "limit_reached": False,
        "primary_window": {
            "used_percent": 12,
            "limit_window_seconds": 18000,
            "reset_after_seconds": 600,
            "reset_at": 1785000600,
        },
        "secondary_window": None,
    },
    "additional_rate_limits": [
        {
            "limit_name": "GPT-5.3-Codex-Spark",
            "metered_feature": "codex_bengalfox",
            "rate_limit": {
                "allowed": False,
                "limit_reached": True,
                "primary_window": {
                    "used_percent": 100,
                    "limit_window_seconds": 604800,
                    "reset_after_seconds": 900,
                },
            },
        },
        None,
        {"metered_feature": "empty", "rate_limit": None},
    ],
    "credits": None,
}


def test_usage() -> None:
    assert read_usage(USAGE, NOW).check(NOW) == AccountCheck(
        email="a@example.com",
        plan="pro",
        quota=Quota(
            (
                QuotaWindow("5 h", used_percent=12.0, resets_at=1785000600),
                QuotaWindow("gpt-5.3-codex-spark · 7 d", used_percent=100.0, resets_at=NOW + 900),
            )
        ),
        limits={"gpt-5.3-codex-spark": NOW + 900},
    )


def test_usage_that_allows_again_ends_every_limit() -> None:
    again = {"rate_limit": {"allowed": True, "primary_window": {"used_percent": 1}}}
    assert read_usage(again, NOW).check(NOW).limits == {}


@pytest.mark.parametrize("odd", [None, [], {}, {"rate_limit": 3, "credits": [], "plan_type": None}])
def test_odd_usage(odd: Any) -> None:
    assert read_usage(odd, NOW).check(NOW) == AccountCheck(limits={})
