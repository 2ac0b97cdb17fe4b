"""How an account stands, in words of both languages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from chat2api.errors import ACCOUNT_CLOSED, UpstreamChallenge
from chat2api.pool.values import AccountRow, Quota, QuotaWindow
from chat2api.service.account_standing import Word
from chat2api.web.desk.account_words import (
    GLYPHS,
    Fact,
    Pill,
    credential_of,
    evidence_of,
    is_of_a_file,
    name_of,
    pill_of,
    quota_of,
    source_text,
    window_name,
)
from chat2api.web.times import short_time

NOW = 1_763_570_000.0  # 2025-11-19 16:33 UTC
DAY = 86_400.0
ROW = AccountRow(
    "acc_1", "chatgpt", "web", "active", "ann", "plus", None, "test", "eyJ...x", True,
    NOW + 9 * DAY, None, "", None, last_used_at=NOW,
)  # fmt: skip


@pytest.fixture
def said(site: Any) -> Any:
    """said(function, language="en", **changes of the row): what a person reads."""

    def say(what: Any, language: str = "en", **changes: Any) -> Any:
        with site.app.test_request_context(f"/?lang={language}"):
            return what(replace(ROW, **changes))

    return say


STATES: list[tuple[dict[str, Any], Pill, str]] = [
    ({}, Pill("ok", "check", "Ready"), "可用"),
    ({"running": 2}, Pill("busy", "dot", "In use", "2/3"), "使用中"),
    ({"running": 2, "concurrency": 5}, Pill("busy", "dot", "In use", "2/5"), "使用中"),
    (
        {"model_limits": {"gpt-5": NOW + 60}},
        Pill("wait", "half", "gpt-5", "until {time}"),
        "gpt-5",
    ),
    (
        {"state": "limited", "until": NOW + 60},
        Pill("wait", "clock", "Resting", "until {time}"),
        "冷却",
    ),
    ({"renewing": True}, Pill("busy", "renew", "Renewing"), "续期中"),
    (
        {"renewable": False, "expires_at": NOW + 1.5 * DAY},
        Pill("wait", "hourglass", "Ends in 36 h", "not renewable"),
        "36 小时后到期",
    ),
    (
        {"state": "cooling", "until": NOW + 60, "reason": UpstreamChallenge.code},
        Pill("bad", "shield", "Challenge asked", "until {time}"),
        "上游要求人机验证",
    ),
    ({"state": "needs_login"}, Pill("bad", "warning", "Log in again"), "需要重新登录"),
    (
        {"state": "needs_login", "reason": ACCOUNT_CLOSED},
        Pill("bad", "close", "Closed by upstream"),
        "已被官方停用",
    ),
    ({"state": "disabled"}, Pill("off", "pause", "Paused by you"), "已暂停"),
    ({"last_used_at": None}, Pill("off", "question", "Not checked"), "未检测"),
    ({"state": "disabled", "removed_at": NOW}, Pill("off", "bin", "Removed"), "已移除"),
]


@pytest.mark.parametrize(("changes", "pill", "chinese"), STATES)
def test_pills(said: Any, changes: dict[str, Any], pill: Pill, chinese: str) -> None:
    time = said(lambda row: short_time(NOW + 60))
    wanted = replace(pill, fact=pill.fact.format(time=time))
    assert said(lambda row: pill_of(row, NOW, 3), **changes) == wanted
    assert said(lambda row: pill_of(row, NOW, 3), "zh", **changes).word == chinese
    assert pill.glyph in GLYPHS


def test_every_word_is_met() -> None:
    assert len(STATES) - 1 == len(get_args(Word))  # in use stands there twice


def test_without_a_bound(said: Any) -> None:
    assert said(lambda row: pill_of(row, NOW, 0), running=2).fact == "2"


@pytest.mark.parametrize(("changes", "pill", "chinese"), STATES)
def test_there_is_evidence_for_each(
    said: Any, changes: dict[str, Any], pill: Pill, chinese: str
) -> None:
    for language in ("en", "zh"):
        found = said(lambda row: evidence_of(row, NOW), language, **changes)
        assert found.said
        assert found.next or pill.word in ("Ready", "In use", "Renewing")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"state": "needs_login", "reason": "the renewal was refused: reused", "reason_at": NOW},
            "Log in again: the renewal was refused on Nov 19.",
        ),
        ({"state": "needs_login", "reason": "upstream_account_auth_failed"},
         "Upstream refused its token."),
        ({"state": "needs_login", "reason": "told by\u202e an importer\x00"},
         "The last failure: told by\N{REPLACEMENT CHARACTER} an importer\N{REPLACEMENT CHARACTER}."),
        ({"state": "needs_login"}, "Its token has ended, and cannot be renewed."),
        ({"model_limits": dict.fromkeys("abcdefg", NOW + 9)},
         "Upstream's limit for a, b, c, d, e…."),
        ({"reason": "upstream_timeout", "resting_until": NOW + 9},
         "Upstream did not answer in time."),
        ({"reason": "upstream_timeout"}, "Nothing speaks against it."),
    ],
)  # fmt: skip
def test_what_upstream_said(said: Any, changes: dict[str, Any], text: str) -> None:
    assert said(lambda row: evidence_of(row, NOW), **changes).said == text


def test_what_was_so_is_told_as_past(said: Any) -> None:
    past = {"reason": UpstreamChallenge.code, "reason_at": NOW - 700, "rested_until": NOW - 100}
    found = said(lambda row: evidence_of(row, NOW), **past)
    time = said(lambda row: short_time(NOW - 100))
    assert found.said == f"Until {time} it rested: Upstream asks for a human check."
    assert (found.next, found.at, found.is_met) == ("", NOW - 700, True)
    resting = past | {"state": "cooling", "until": NOW + 600, "rested_until": NOW + 600}
    found = said(lambda row: evidence_of(row, NOW), **resting)
    time = said(lambda row: short_time(NOW + 600))
    assert found.said == "Upstream asks for a human check."
    assert found.next == f"It comes back by itself at {time}."


def test_where_nothing_was_met_nothing_was_learnt(said: Any) -> None:
    for changes in ({"reason_at": NOW}, {"reason": "rate_limit_exceeded", "reason_at": NOW}):
        found = said(lambda row: evidence_of(row, NOW), **changes)
        assert (found.said, found.at, found.is_met) == ("Nothing speaks against it.", None, False)


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({}, Fact("until Nov 28, renewed before")),
        ({"renewable": False}, Fact("until Nov 28, not renewable", "wait")),
        ({"renewable": False, "expires_at": NOW - 1}, Fact("ended Nov 19", "bad")),
        ({"refused_at": NOW}, Fact("renewal fails since Nov 19", "bad")),
        ({"expires_at": None}, Fact("renewed when needed")),
        ({"expires_at": None, "renewable": False}, Fact("no end known")),
    ],
)
def test_credentials(said: Any, changes: dict[str, Any], fact: Fact) -> None:
    assert said(lambda row: credential_of(row, NOW), **changes) == fact


def test_quotas(said: Any) -> None:
    def fact(*windows: QuotaWindow) -> Any:
        return said(quota_of, quota=Quota(windows))

    assert fact() == fact(QuotaWindow("image_gen", None, 7)) == Fact("–")
    five, week = QuotaWindow("5 h", 62.0), QuotaWindow("7 d", 93.4)
    assert fact(five) == Fact("5 h 62 %")
    assert fact(five, week) == Fact("7 d 93 %", "wait")
    assert fact(five, QuotaWindow("7 d", 100.0)).role == "bad"
    names = said(lambda row: [window_name(QuotaWindow(n)) for n in ("image_gen", "new\n")], "zh")
    assert names[1] == "new\N{REPLACEMENT CHARACTER}"


def test_names_and_sources(said: Any) -> None:
    assert said(name_of) == "ann"
    assert said(name_of, label="") == "eyJ...x"
    assert len(said(name_of, label="x" * 500)) == 80
    assert said(source_text, source="app.prod.yaml") == "from app.prod.yaml"
    assert (said(source_text), said(source_text, source="")) == ("test", "–")
    assert said(is_of_a_file, source="conf/APP.YML")
    assert not said(is_of_a_file)
