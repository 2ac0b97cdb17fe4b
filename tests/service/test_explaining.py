"""Verdicts: every way to fail has one, and successes tell how they came about."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from chat2api import errors
from chat2api.errors import (
    ACCOUNT_CLOSED,
    Chat2ApiError,
    ClientGone,
    PoolExhausted,
    UpstreamRateLimited,
)
from chat2api.service.explaining import (
    SAID,
    explain,
    explain_attempt,
    limit_ends,
)
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Trace

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Chat2ApiError)
]


def attempt(number: int = 1, account: str = "acct_a", code: str = "", **more: Any) -> AttemptRecord:
    plain = AttemptRecord(number, "web", account, code, 200, "", None, 0.5, 1.5, None)
    return replace(plain, **more)


def record(
    code: str = "", status: int = 200, *attempts: AttemptRecord, **more: Any
) -> RequestRecord:
    trace = more.pop("trace", Trace(attempts=attempts, retry_after=more.pop("retry_after", None)))
    return RequestRecord(
        "req_1", 1000.0, 4.0, status, bool(code) or status >= 400, code, attempts=len(attempts), trace=trace
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_way_to_fail_has_a_verdict(kind: type[Chat2ApiError]) -> None:
    verdict = explain(record(kind.code or "", kind.status))
    assert verdict.said in SAID
    assert not verdict.said.startswith("other_")
    assert (verdict.side == "nobody") == (kind is ClientGone)
    assert verdict.step != "none"


def test_what_is_not_known_is_judged_by_its_status() -> None:
    assert explain(record("new_code", 422)).side == "client"
    assert explain(record("new_code", 500)).side == "server"
    assert explain(record("", 502)).said == "other_server"


def test_a_limit_is_the_keys_or_the_accounts() -> None:
    code = UpstreamRateLimited.code
    assert explain(record(code, 429)).side == "client"
    upstream = explain(record(code, 429, attempt(code=code, status=429)))
    assert (upstream.said, upstream.side) == ("limit", "account")


def test_a_login_is_asked_of_the_caller_or_of_our_address() -> None:
    assert explain(record("login_required", 401)).side == "client"
    assert explain(record("login_required", 502)).side == "network"


def test_when_it_can_be_tried_again() -> None:
    verdict = explain(record(PoolExhausted.code, 429, retry_after=60.0))
    assert verdict.retry_at == 1064.0
    assert explain(record(PoolExhausted.code, 429)).retry_at is None


def test_it_worked() -> None:
    assert explain(record("", 200, attempt())).said == "worked"
    assert explain(record("", 200)).said == "worked"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("rate_limit_exceeded", "second_limited"),
        ("upstream_account_auth_failed", "second_login"),
        ("upstream_connection_error", "second_unreachable"),
        ("upstream_timeout", "second_timeout"),
        ("upstream_bad_response", "second"),
        ("a_code_of_tomorrow", "second"),
    ],
)
def test_it_worked_on_the_second_account(code: str, said: str) -> None:
    verdict = explain(record("", 200, attempt(code=code, status=502), attempt(2, "acct_b")))
    assert (verdict.said, verdict.side, verdict.tries) == (said, "nobody", 2)


LOCAL = {"route": "entry", "account": "", "provider": "local"}


@pytest.mark.parametrize(
    ("code", "status", "said", "side"),
    [
        ("upstream_account_auth_failed", 502, "entry_key", "server"),
        ("upstream_access_denied", 502, "entry_denied", "server"),
        ("rate_limit_exceeded", 429, "entry_limit", "upstream"),
        ("upstream_connection_error", 502, "unreachable", "network"),
        ("upstream_timeout", 504, "timeout", "upstream"),
        ("context_length_exceeded", 400, "too_long", "client"),
    ],
)
def test_a_configured_upstream_has_no_accounts_to_blame(
    code: str, status: int, said: str, side: str
) -> None:
    met = attempt(code=code, status=status, **LOCAL)
    verdict = explain(record(code, status, met))
    assert (verdict.said, verdict.side) == (said, side)
    assert explain_attempt(met).said == said


def test_it_worked_on_another_upstream_or_at_another_try() -> None:
    failed = attempt(code="upstream_bad_response", status=502, **LOCAL)
    worked = attempt(2, **LOCAL)
    limited = attempt(code="rate_limit_exceeded", status=429)
    assert explain(record("", 200, failed, worked)).said == "same_upstream"
    assert explain(record("", 200, failed, failed, worked)).said == "later"
    assert explain(record("", 200, limited, worked)).said == "second_upstream"
    assert explain(record("", 200, attempt(**LOCAL))).said == "worked"


def test_until_when_the_first_is_limited() -> None:
    first = attempt(code="rate_limit_exceeded", status=429, retry_after=100.0)
    asked = record("", 200, first, attempt(2, "acct_b"))
    assert limit_ends(asked, first) == 1102.0
    verdict = explain(asked)
    assert (verdict.said, verdict.until) == ("second_limited_until", 1102.0)


def test_it_worked_later_or_on_the_same_account() -> None:
    failed = attempt(code="upstream_timeout", status=504)
    third = replace(attempt(3, "acct_c"))
    later = explain(record("", 200, failed, replace(failed, account_id="acct_b"), third))
    assert (later.said, later.tries) == ("later", 3)
    assert explain(record("", 200, failed, attempt(2))).said == "same_account"


def test_several_answers_at_once() -> None:
    failed = attempt(code="upstream_timeout", status=504)
    both = explain(record("", 200, failed, attempt(2, "acct_b"), attempt(3, "acct_c")))
    assert (both.said, both.side) == ("some_failed", "nobody")
    assert explain(record("", 200, attempt(), attempt(2, "acct_b"))).said == "worked"


def test_a_closed_account_has_its_own_word() -> None:
    assert explain_attempt(attempt(code=ACCOUNT_CLOSED, status=502)).said == "closed_account"


def test_what_a_try_met() -> None:
    assert explain_attempt(attempt()).said == "worked"
    assert limit_ends(record(), attempt(retry_after=3.0)) is None
    limited = explain_attempt(attempt(code="rate_limit_exceeded", status=429))
    assert (limited.said, limited.step) == ("limit", "wait")


def test_a_caller_who_hung_up_is_nobodys_fault_and_no_success() -> None:
    left = replace(record("client_gone", 499, attempt(code="client_gone")), failed=False)
    assert (explain(left).said, explain(left).side, explain(left).tries) == ("gone", "nobody", 1)
    assert explain_attempt(left.trace.attempts[0]).said == "gone"
