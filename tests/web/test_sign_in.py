"""Signing in and out with a browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}


def sign_in(site: Any, password: str = PASSWORD, headers: Any = HTML, **fields: str) -> Any:
    data = {"password": password, **fields}
    return site.send("POST", "/admin/sign-in", key=None, headers=headers, data=data)


def text_of(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def test_in_and_out(site: Any) -> None:
    form = site.send("GET", "/admin/sign-in?next=/tokens", key=None, headers=HTML)
    assert form.status_code == 200
    assert 'name="next" value="/tokens"' in text_of(form)
    assert "ADMIN_PASSWORD" in text_of(form)
    answer = sign_in(site, next="/tokens/clear")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/tokens/clear")
    assert PASSWORD not in f"{answer.headers}"
    again = site.send("GET", "/admin/sign-in", key=None, headers=HTML)
    assert (again.status_code, again.headers["Location"]) == (303, "/admin")
    csrf = site.runtime.administration.sessions.list()[0].csrf
    refused = site.send("POST", "/admin/sign-out", key=None, headers=HTML)
    assert refused.status_code == 403
    left = site.send("POST", "/admin/sign-out", key=None, headers=HTML, data={"csrf": csrf})
    assert (left.status_code, left.headers["Location"]) == (303, "/admin/sign-in")
    assert site.send("GET", "/tokens", key=None, headers=HTML).status_code == 401
    assert [entry.action for entry in site.runtime.audit.recent()] == ["sign out", "sign in"]


@pytest.mark.parametrize("wish", ["//evil", "https:evil", "/\\evil", "javascript:alert(1)", ""])
def test_it_never_leads_elsewhere(site: Any, wish: str) -> None:
    assert sign_in(site, next=wish).headers["Location"] == "/admin"


def test_a_wrong_password_is_told_and_not_shown(site: Any) -> None:
    answer = sign_in(site, "wrong<b>", next="/tokens")
    assert answer.status_code == 401
    assert "That is not right. Try again." in text_of(answer)
    assert 'name="next" value="/tokens"' in text_of(answer)
    assert "wrong" not in text_of(answer)
    assert "Set-Cookie" not in answer.headers
    assert sign_in(site, "wrong", {}).get_json()["error"]["code"] == "invalid_api_key"


def test_too_many_tries_show_how_long_to_wait(site: Any) -> None:
    for _ in range(5):
        assert sign_in(site, "wrong").status_code == 401
    answer = sign_in(site)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert "Too many tries. Try again in 1:00." in text_of(answer)
    assert sign_in(site, headers={}).get_json()["error"]["code"] == "too_many_login_attempts"
    site.store.clock.at += 61
    assert sign_in(site).status_code == 303


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_signs_nobody_in(site: Any, headers: dict[str, str]) -> None:
    assert sign_in(site, headers={**HTML, **headers}).status_code == 403
    assert site.runtime.administration.sessions.list() == ()


def test_what_opens_it_is_said(site: Any) -> None:
    site.given |= {"admin_password": None, "authorization": (Secret("sk-one"),)}
    form = text_of(site.send("GET", "/admin/sign-in", key=None, headers=HTML))
    assert "One of AUTHORIZATION" in form
    assert "Whoever has that API key can also administer." in form
    assert sign_in(site, "sk-one").status_code == 303


def test_the_first_key_opens_it_too(site: Any) -> None:
    site.given["admin_password"] = None
    made: list[Secret] = []
    site.keys.first_key(made.append)
    form = text_of(site.send("GET", "/admin/sign-in", key=None, headers=HTML))
    assert "printed at the first start" in form
    assert sign_in(site, made[0].reveal()).status_code == 303


def test_closed_without_any_secret(site: Any) -> None:
    site.given["admin_password"] = None
    for answer in (
        site.send("GET", "/admin/sign-in", key=None, headers=HTML),
        sign_in(site, "anything"),
    ):
        assert answer.status_code == 403
        assert "ADMIN_PASSWORD" in text_of(answer)


def test_no_database_is_no_sign_in_page(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(site)

    def away(*_: object) -> None:
        raise StorageUnavailable("The database does not answer.", retry_after=5)

    monkeypatch.setattr(type(site.runtime.administration.sessions), "find", away)
    answer = site.send("GET", "/tokens", key=None, headers=HTML)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer." in text_of(answer)
    assert "password" not in re.sub(r"<head>.*</head>", "", text_of(answer), flags=re.DOTALL)


def test_the_demo_says_its_key_and_nobody_else_does(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.given["admin_password"] = None
    site.given["authorization"] = (Secret("sk-demo"),)
    form = text_of(site.send("GET", "/admin/sign-in", key=None, headers=HTML))
    assert "sk-demo" not in form
    config = type(site.runtime.config)
    monkeypatch.setattr(config, "source_of", lambda *_: "--demo")
    form = text_of(site.send("GET", "/admin/sign-in", key=None, headers=HTML))
    assert "key opens it: sk-demo." in form
