"""What is said of logins: every end has its words, and foreign text stays on its line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chat2api.pool.values import AccountRow
from chat2api.store.logins import Login, LoginResult
from chat2api.web.desk.login_words import (
    done_text,
    ended_text,
    ends_text,
    name_of,
    plain,
    title_of,
    trouble_text,
    wants_text,
)

NOW = 1_750_000_000.0
LOGIN = Login(
    login_id="login_1",
    kind="device",
    state="refused",
    actor="session 1",
    account_id="",
    user_code="ABCD-1234",
    address="https://login.test/codex/device",
    interval_seconds=5.0,
    created_at=NOW,
    expires_at=NOW + 900,
    seen_at=NOW,
    ended_at=None,
    result=LoginResult(),
)
ACCOUNT = AccountRow(
    account_id="acc_1",
    provider="chatgpt",
    kind="codex",
    state="active",
    label="ann@example.com",
    plan="plus",
    workspace_id=None,
    source="test",
    masked_token="***",
    renewable=False,
    expires_at=NOW + 86_400,
    until=None,
    reason="",
    reason_at=None,
)


@pytest.fixture(autouse=True)
def _page(site: Any) -> Any:
    with site.app.test_request_context("/"):
        yield


def test_every_state_has_its_title() -> None:
    states: tuple[Any, ...] = ("waiting", "exchanging", "done", "expired", "refused", "cancelled")
    titles = [title_of(replace(LOGIN, state=state)) for state in states]
    assert titles[0] == titles[1] == "Log in with ChatGPT"
    assert len(set(titles)) == 5


def test_every_end_has_its_own_sentence() -> None:
    whys = ("other_account", "other_workspace", "taken", "unnamed", "gone", "damaged", "refused")
    told = [
        ended_text(replace(LOGIN, result=LoginResult(why=why, label="bob@example.com")))
        for why in whys
    ]
    told += [ended_text(replace(LOGIN, state=state)) for state in ("expired", "cancelled")]
    assert len(set(told)) == len(whys) + 2
    assert all("bob@example.com" in told[number] for number in (0, 2))


def test_every_verdict_has_its_own_sentence() -> None:
    verdicts = ("added", "updated", "revived", "unchanged")
    told = [done_text(LoginResult(verdict=one, label="a@b\u202e")) for one in verdicts]
    assert len(set(told)) == 4
    assert all("as a@b." in one for one in told)


def test_trouble_is_told_while_it_lasts() -> None:
    assert trouble_text(LOGIN) == ""
    assert "tried again" in trouble_text(replace(LOGIN, trouble="no connection"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"state": "needs_login"}, "needs a login now"),
        ({"expires_at": None}, "serves until its token ends"),
        ({"expires_at": NOW - 1}, "its token has ended"),
        ({}, "24 h left"),
    ],
)
def test_how_long_an_account_still_serves(changed: dict[str, Any], words: str) -> None:
    assert ends_text(replace(ACCOUNT, **changed), NOW) == words


def test_names_and_reasons() -> None:
    assert name_of(ACCOUNT) == "ann@example.com"
    assert name_of(replace(ACCOUNT, label="\u200f")) == "acc_1"
    assert wants_text(ACCOUNT) == "it has no refresh token"
    # What went wrong on a turn is not why a login is wanted, while the token lives.
    assert wants_text(replace(ACCOUNT, reason="upstream_timeout")) == "it has no refresh token"
    over = replace(ACCOUNT, state="needs_login")
    assert wants_text(over) == "its token has ended"
    assert wants_text(replace(over, reason="no\nmore")) == "The last failure: no\ufffdmore."
    assert plain("x" * 100) == "x" * 80 + "…"
