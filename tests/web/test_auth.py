"""From headers to who is calling, and from where."""

from __future__ import annotations

from typing import Any

import pytest
from flask import jsonify

from chat2api.secret import Secret
from chat2api.web.auth import as_text, caller_address, caller_origin, is_https


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer sk-key-of-the-suite"}, 200),
        ({"X-Api-Key": "sk-key-of-the-suite"}, 200),
        ({"Authorization": "Bearer sk-wrong", "X-Api-Key": "sk-key-of-the-suite"}, 401),
        ({}, 401),
    ],
)
def test_where_a_key_may_stand(site: Any, headers: dict[str, str], status: int) -> None:
    assert site.send("GET", "/v1/models", key=None, headers=headers).status_code == status
    in_the_query = "/v1/models?key=sk-key-of-the-suite&api_key=sk-key-of-the-suite"
    assert site.send("GET", in_the_query, key=None).status_code == 401


def test_a_key_is_confined_to_its_scopes(site: Any) -> None:
    _, secret = site.keys.create("Bob", scopes=["chat"])
    refused = site.send("GET", "/v1/models", key=secret.reveal())
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "key_scope")
    assert site.ask(key=secret.reveal()).status_code == 200


def test_a_revoked_key_is_refused_within_two_seconds(site: Any) -> None:
    """G05."""
    made, secret = site.keys.create("Bob")
    assert site.ask(key=secret.reveal()).status_code == 200
    site.keys.revoke(made.key_id)
    site.store.clock.at += 2
    refused = site.ask(key=secret.reveal())
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (401, "invalid_api_key")


def test_an_expired_key_is_refused(site: Any) -> None:
    _, secret = site.keys.create("Bob", expires_at=site.store.now() + 10)
    assert site.ask(key=secret.reveal()).status_code == 200
    site.store.clock.at += 10
    assert site.ask(key=secret.reveal()).status_code == 401


def test_while_the_database_is_away_no_key_is_called_wrong(site: Any, outage: Any) -> None:
    """E04, E06."""
    _, secret = site.keys.create("Bob")
    assert site.ask(key=secret.reveal()).status_code == 200
    outage.is_away = True
    site.store.clock.at += 299
    assert site.ask(key=secret.reveal()).status_code == 200
    site.store.clock.at += 1
    for key in (secret.reveal(), "sk-" + "x" * 43):
        refused = site.ask(key=key)
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (
            503,
            "storage_unavailable",
        )
        assert refused.headers["Retry-After"] == "2"
    assert site.ask().status_code == 200


@pytest.mark.parametrize(
    ("header", "text"),
    [(None, None), ("abc", "abc"), ("cl\xc3\xa9", "clé"), ("cl\xe9", "cl\xe9"), ("密码", "密码")],
)
def test_headers_sent_as_utf_8(header: str | None, text: str | None) -> None:
    assert as_text(header) == text


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [
        ((), ["127.0.0.1", "http://here.test", False]),
        (("127.0.0.1",), ["203.0.113.9", "https://outside.test", True]),
    ],
)
def test_only_trusted_proxies_are_believed(
    site: Any, trusted: tuple[str, ...], seen: list[Any]
) -> None:
    """F16."""
    site.given["trusted_proxies"] = trusted
    site.own_app().add_url_rule(
        "/seen", view_func=lambda: jsonify([caller_address(), caller_origin(), is_https()])
    )
    headers = {
        "Host": "Here.test",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "outside.test",
    }
    assert site.send("GET", "/seen", headers=headers).get_json() == seen


def test_what_is_needed_here_is_not_shown(site: Any) -> None:
    site.given["authorization"] = (Secret("sk-planted"),)
    assert "planted" not in repr(site.runtime)
