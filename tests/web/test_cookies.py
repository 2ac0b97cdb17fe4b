"""Cookies of ours."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.web.cookies import send_cookie, ticket_in, ticket_name

HTTPS = {"X-Forwarded-Proto": "https"}


def sent(site: Any, name: str = "mine", value: str | None = "x", **given: Any) -> str:
    """The header that goes along with an answer."""
    request = given.pop("request", {})

    def view() -> str:
        send_cookie(ticket_name(name) if name == "admin" else name, value, **given)
        return ""

    site.own_app().add_url_rule("/room", view_func=view)
    return str(site.send("GET", "/room", key=None, **request).headers["Set-Cookie"])


def test_the_server_alone_reads_it_and_no_other_site_sends_it(site: Any) -> None:
    assert sent(site) == "mine=x; HttpOnly; Path=/; SameSite=Strict"


def test_it_may_last_and_come_along_with_links(site: Any) -> None:
    kept = sent(site, path="/admin", seconds=60.9, lax=True)
    assert "Max-Age=60" in kept
    assert kept.endswith("HttpOnly; Path=/admin; SameSite=Lax")


def test_it_is_taken_back(site: Any) -> None:
    gone = sent(site, value=None, seconds=60)
    assert gone.startswith("mine=;")
    assert "Max-Age=0" in gone


def test_where_the_page_is_encrypted_so_is_the_cookie(site: Any) -> None:
    site.given["trusted_proxies"] = ("127.0.0.1",)
    cookie = sent(site, "admin", request={"headers": HTTPS})
    assert cookie == "__Host-admin=x; Secure; HttpOnly; Path=/; SameSite=Strict"


@pytest.mark.parametrize(("cookie", "found"), [("admin=abc", "abc"), ("admin=", None), ("", None)])
def test_a_ticket_is_found_under_its_name(site: Any, cookie: str, found: str | None) -> None:
    with site.app.test_request_context("/", headers={"Cookie": cookie}):
        ticket = ticket_in("admin")
        assert (None if ticket is None else ticket.reveal()) == found
