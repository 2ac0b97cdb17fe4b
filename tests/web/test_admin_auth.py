"""Who may administer: bearers, sessions, forged requests, guesses (H01, H04, H06, G03)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest
from flask import jsonify, request

from chat2api.secret import Secret
from chat2api.web import admin_auth
from chat2api.web.admin_auth import (
    admin_actor,
    check_origin,
    current_session,
    note_change,
    require_admin,
    sign_in,
    sign_out,
    sign_out_others,
)

PASSWORD = "the admin password of the suite"
WRONG_BODY = {
    "message": "Wrong, or missing: send the admin password as `Authorization: Bearer PASSWORD`, "
    "or sign in.",
    "type": "invalid_request_error",
    "param": None,
    "code": "invalid_api_key",
}


class Desk:
    """Views of administration in the smallest form, and a browser that keeps its cookies by hand."""

    def __init__(self, site: Any) -> None:
        self.site = site
        app = site.own_app()
        site.client = app.test_client(use_cookies=False)
        self.cookies: dict[str, str] = {}
        self.morsel: Morsel[str] | None = None
        for path, view in (
            ("/change", self._change),
            ("/in", self._in),
            ("/out", self._out),
            ("/others", self._others),
            ("/who", self._who),
        ):
            methods = ["GET", "POST", "PUT", "DELETE"]
            app.add_url_rule(path, path, view, methods=methods)

    def _change(self) -> Any:
        require_admin()
        if request.method != "GET":
            note_change("change", "thing", {"to": 1})
        return jsonify(admin_actor())

    def _in(self) -> Any:
        return jsonify(csrf=sign_in(Secret(request.form["password"])).csrf)

    def _out(self) -> Any:
        require_admin()
        sign_out()
        return jsonify(None)

    def _others(self) -> Any:
        require_admin()
        return jsonify(sign_out_others())

    def _who(self) -> Any:
        session = current_session()
        return jsonify(None if session is None else session.session_id)

    def send(
        self, method: str, path: str, *, bearer: str | None = None, peer: str = "203.0.113.9",
        **more: Any,
    ) -> Any:  # fmt: skip
        headers = dict(more.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        answer = self.site.send(
            method, path, key=None, headers=headers,
            environ_overrides={"REMOTE_ADDR": peer}, **more,
        )  # fmt: skip
        for line in answer.headers.getlist("Set-Cookie"):
            ((name, self.morsel),) = SimpleCookie(line).items()
            self.cookies.pop(name, None)
            if self.morsel.value:
                self.cookies[name] = self.morsel.value
        return answer

    def sign_in(self, password: str = PASSWORD, **more: Any) -> str:
        answer = self.send("POST", "/in", data={"password": password}, **more)
        assert answer.status_code == 200, answer.get_json()
        return str(answer.get_json()["csrf"])


@pytest.fixture
def desk(site: Any) -> Desk:
    return Desk(site)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


# --- bearers


def test_scripts_bring_the_password(desk: Desk) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = desk.send(method, "/change", bearer=PASSWORD)
        assert (answer.status_code, answer.get_json()) == (200, "bearer")
    assert "Set-Cookie" not in answer.headers


def test_a_password_in_other_letters(site: Any) -> None:
    site.given["admin_password"] = Secret("密码 clé")
    desk = Desk(site)
    assert (
        desk.send("GET", "/change", bearer="密码 clé".encode().decode("latin-1")).status_code == 200
    )
    desk.sign_in("密码 clé")


@pytest.mark.parametrize("bearer", ["wrong", "", "sk-key-of-the-suite", PASSWORD[:-1], None])
def test_others_stay_outside(desk: Desk, bearer: str | None) -> None:
    answer = desk.send("GET", "/change", bearer=bearer)
    assert (answer.status_code, answer.get_json()["error"]) == (401, WRONG_BODY)


def test_named_keys_never_open_it(site: Any) -> None:
    """Decision 5; configured keys do where there is no password."""
    site.given["admin_password"] = None
    site.given["authorization"] = (Secret("sk-mine"),)
    desk = Desk(site)
    _, named = site.keys.create("Bob")
    assert desk.send("GET", "/change", bearer="sk-mine").status_code == 200
    assert code(desk.send("GET", "/change", bearer=named.reveal())) == (401, "invalid_api_key")


def test_where_nothing_is_configured_it_is_closed(site: Any) -> None:
    site.given["admin_password"] = None
    desk = Desk(site)
    for bearer in (None, "x"):
        assert code(desk.send("GET", "/change", bearer=bearer)) == (403, "admin_closed")
    first: list[Secret] = []
    site.keys.first_key(first.append)
    assert desk.send("GET", "/change", bearer=first[0].reveal()).status_code == 200


# --- sessions


def test_a_browser_signs_in(desk: Desk) -> None:
    csrf = desk.sign_in()
    assert desk.morsel is not None
    assert list(desk.cookies) == ["admin"]
    assert {name: value for name, value in desk.morsel.items() if value} == {
        "path": "/",
        "httponly": True,
        "samesite": "Strict",
    }
    session_id = desk.send("GET", "/who").get_json()
    assert desk.send("GET", "/change").get_json() == f"session {session_id}"
    for how in ({"data": {"csrf": csrf}}, {"headers": {"X-CSRF-Token": csrf}, "json": {}}):
        assert desk.send("POST", "/change", **how).status_code == 200
    assert PASSWORD not in str(desk.cookies)


def test_over_https_the_cookie_is_bound_to_the_host(site: Any) -> None:
    site.given["trusted_proxies"] = ("203.0.113.9",)
    desk = Desk(site)
    https = {"headers": {"X-Forwarded-Proto": "https"}}
    desk.sign_in(**https)
    assert desk.morsel is not None
    assert (list(desk.cookies), desk.morsel["secure"]) == (["__Host-admin"], True)
    assert desk.send("GET", "/change", **https).status_code == 200
    assert desk.send("GET", "/change").status_code == 401


def test_a_session_ends_at_sign_out(desk: Desk) -> None:
    csrf = desk.sign_in()
    stolen = dict(desk.cookies)
    assert desk.send("POST", "/out", data={"csrf": csrf}).status_code == 200
    assert desk.cookies == {}
    desk.cookies = stolen
    assert code(desk.send("GET", "/change")) == (401, "invalid_api_key")


def test_signing_in_changes_the_ticket(desk: Desk) -> None:
    desk.sign_in()
    before = dict(desk.cookies)
    desk.sign_in()
    assert desk.cookies != before
    desk.cookies = before
    assert desk.send("GET", "/change").status_code == 401


def test_others_can_be_signed_out(desk: Desk) -> None:
    desk.sign_in()
    other, desk.cookies = dict(desk.cookies), {}
    csrf = desk.sign_in()
    assert desk.send("POST", "/others", data={"csrf": csrf}).get_json() == 1
    assert desk.send("GET", "/change").status_code == 200
    desk.cookies = other
    assert desk.send("GET", "/change").status_code == 401
    assert desk.send("POST", "/others", bearer=PASSWORD).get_json() == 1


def test_a_new_password_ends_the_sessions_of_the_old(desk: Desk, monkeypatch: Any) -> None:
    desk.sign_in()
    access = desk.site.runtime.administration.access
    monkeypatch.setattr(access, "_hashes", (desk.site.store.vault.hash("a new password"),))
    assert code(desk.send("GET", "/change")) == (401, "invalid_api_key")


def test_a_revoked_first_key_ends_its_sessions(site: Any) -> None:
    site.given["admin_password"] = None
    desk = Desk(site)
    first: list[Secret] = []
    site.keys.first_key(first.append)
    desk.sign_in(first[0].reveal())
    assert desk.send("GET", "/change").status_code == 200
    site.keys.revoke("first")
    site.store.clock.at += 2
    assert code(desk.send("GET", "/change")) == (403, "admin_closed")


def test_a_proxys_own_password_is_not_ours(desk: Desk) -> None:
    desk.sign_in()
    basic = {"headers": {"Authorization": "Basic b3A6cHc="}}
    assert desk.send("GET", "/change", **basic).status_code == 200


# --- forged requests


@pytest.mark.parametrize(
    "request_", [{}, {"data": {"csrf": "x" * 43}}, {"json": {"csrf": "x"}},
                 {"headers": {"X-CSRF-Token": "é"}}],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_change_needs_the_token(desk: Desk, method: str, request_: dict[str, Any]) -> None:
    desk.sign_in()
    assert code(desk.send(method, "/change", **request_)) == (403, "csrf_failed")
    assert [entry.action for entry in desk.site.runtime.administration.audit.recent()] == [
        "sign in"
    ]


HOSTILE = [
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.test"},
    {"Origin": "https://localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]
FRIENDLY = [
    {},
    {"Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", HOSTILE)
def test_what_comes_from_elsewhere_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    """Also with the right token, and also signing in or out."""
    csrf = desk.sign_in()
    ways: list[Callable[[], Any]] = [
        lambda: desk.send("POST", "/change", data={"csrf": csrf}, headers=headers),
        lambda: desk.send("POST", "/out", data={"csrf": csrf}, headers=headers),
        lambda: desk.send("POST", "/in", data={"password": PASSWORD}, headers=headers),
    ]
    for way in ways:
        assert code(way()) == (403, "csrf_failed")
    assert desk.send("GET", "/change", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", FRIENDLY)
def test_what_comes_from_a_page_of_ours_is_done(desk: Desk, headers: dict[str, str]) -> None:
    csrf = desk.sign_in(headers=headers)
    change = desk.send("POST", "/change", data={"csrf": csrf}, headers=headers)
    assert change.status_code == 200


def test_the_public_address_is_ours_too(site: Any) -> None:
    site.given["public_base_url"] = "https://Chat.example/base"
    desk = Desk(site)
    desk.sign_in(headers={"Origin": "https://chat.example"})


def test_a_form_of_unknown_or_great_length_is_not_read_for_a_token(desk: Desk) -> None:
    csrf = desk.sign_in()
    great = {"csrf": csrf, "text": "x" * 1_100_000}
    assert code(desk.send("POST", "/change", data=great)) == (403, "csrf_failed")
    header = {"headers": {"X-CSRF-Token": csrf}}
    assert desk.send("POST", "/change", data=great, **header).status_code == 200


def test_tokens_are_compared_in_constant_time(desk: Desk, monkeypatch: Any) -> None:
    csrf = desk.sign_in()
    compared: list[bytes] = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        admin_auth.hmac,
        "compare_digest",
        lambda one, other: compared.append(one) or real(one, other),
    )
    desk.send("POST", "/change", data={"csrf": csrf})
    assert compared[-1] == csrf.encode()


def test_the_origin_can_be_checked_alone(desk: Desk) -> None:
    with desk.site.app.test_request_context(headers={"Origin": "http://localhost"}):
        check_origin()


# --- guesses


def test_guesses_have_to_wait(desk: Desk) -> None:
    desk.sign_in()
    session, desk.cookies = dict(desk.cookies), {}
    for number in range(5):
        way = {"bearer": "wrong"} if number % 2 else {"data": {"password": "wrong"}}
        answer = desk.send("POST", "/change" if number % 2 else "/in", **way)
        assert answer.status_code == 401
    for bearer in ("wrong", PASSWORD):  # a right one would tell the guesser that it is right
        answer = desk.send("GET", "/change", bearer=bearer)
        assert code(answer) == (429, "too_many_login_attempts")
        assert answer.headers["Retry-After"] == "60"
    assert code(desk.send("POST", "/in", data={"password": PASSWORD})) == (
        429,
        "too_many_login_attempts",
    )
    assert desk.send("GET", "/change", bearer=PASSWORD, peer="198.51.100.1").status_code == 200
    desk.cookies = session
    assert desk.send("GET", "/change").status_code == 200
    desk.cookies = {}
    desk.site.store.clock.at += 60
    assert desk.send("GET", "/change", bearer=PASSWORD).status_code == 200


def test_wrong_ones_are_noted_and_guessing_does_not_flood(desk: Desk) -> None:
    for _ in range(60):
        desk.send("POST", "/in", data={"password": "wrong-planted"})
    entries = desk.site.runtime.administration.audit.recent()
    assert [(one.actor, one.address, one.action, one.detail) for one in reversed(entries)] == [
        ("stranger", "203.0.113.9", "sign in failed", {"tries": tries}) for tries in range(1, 6)
    ]


def test_asking_without_a_secret_is_no_guess(desk: Desk) -> None:
    for _ in range(20):
        assert desk.send("GET", "/change").status_code == 401
    assert desk.send("GET", "/change", bearer=PASSWORD).status_code == 200


# --- the audit


def test_changes_are_noted(desk: Desk) -> None:
    """G13."""
    csrf = desk.sign_in()
    session_id = desk.send("GET", "/who").get_json()
    desk.send("GET", "/change")
    desk.send("POST", "/change", data={"csrf": csrf})
    desk.send("POST", "/change", bearer=PASSWORD)
    desk.send("POST", "/out", data={"csrf": csrf})
    who = f"session {session_id}"
    entries = desk.site.runtime.administration.audit.recent()
    assert [(one.actor, one.address, one.action, one.target, one.detail) for one in entries] == [
        (who, "203.0.113.9", "sign out", "", {}),
        ("bearer", "203.0.113.9", "change", "thing", {"to": 1}),
        (who, "203.0.113.9", "change", "thing", {"to": 1}),
        (who, "203.0.113.9", "sign in", "", {}),
    ]
