"""What happened to an account, in sentences."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from chat2api.store.account_events import AccountEvent, EventKind
from chat2api.web.desk.account_events import told_of


def told(site: Any, kind: str, language: str = "en", **more: Any) -> Any:
    with site.app.test_request_context(f"/?lang={language}"):
        return told_of(AccountEvent(1, "acc_1", 1000.0, kind, **more))


@pytest.mark.parametrize("kind", get_args(EventKind))
def test_every_kind_has_its_words(site: Any, kind: str) -> None:
    english, chinese = told(site, kind), told(site, kind, "zh")
    assert english.text != kind or " " not in english.text
    assert chinese.text != english.text


def test_who_where_and_why(site: Any) -> None:
    detail = {"reason": "over\u202e the limit", "until": 7, "empty": ""}
    found = told(site, "limited", actor="session x", request_id="req_1", detail=detail)
    assert found.href == "/admin/requests/req_1"
    assert found.actor == "somebody signed in (x)"
    assert found.more == "over\N{REPLACEMENT CHARACTER} the limit · until: 7"


def test_an_unknown_kind_is_shown_as_it_is(site: Any) -> None:
    assert told(site, "of tomorrow").text == "of tomorrow"
    assert len(told(site, "checked", detail={"reason": "x" * 900}).more) <= 160
