"""What a token endpoint's answer means, whatever it is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat2api.pool.values import Grant
from chat2api.providers.oauth.answers import read_answer
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret

NOW = 1_780_000_000.0


def jwt(**claims: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{part}.signature"


ACCESS = jwt(exp=NOW + 864_000)
OPEN_ENDED = jwt(sub="a")


def read(document: Any, status: int = 200) -> Grant:
    return read_answer(status, json.dumps(document).encode(), NOW)


# --- grants


def test_a_whole_grant() -> None:
    whole = {"access_token": ACCESS, "refresh_token": "rt_next_one", "id_token": OPEN_ENDED}
    assert read(whole) == Grant(
        Secret(ACCESS), Secret("rt_next_one"), Secret(OPEN_ENDED), NOW + 864_000
    )


@pytest.mark.parametrize("missing", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_what_is_missing_stays_as_it_was(missing: dict[str, Any]) -> None:
    """C08"""
    assert read({"access_token": ACCESS, **missing}) == Grant(
        Secret(ACCESS), None, None, NOW + 864_000
    )


@pytest.mark.parametrize(
    ("expires_in", "expires_at"),
    [
        (600, NOW + 600),
        (600.5, NOW + 600.5),
        (None, None),
        ("600", None),
        (True, None),
        (0, None),
        (-5, None),
        (10**12, None),
    ],
)
def test_the_answer_tells_the_end_where_the_token_does_not(
    expires_in: Any, expires_at: float | None
) -> None:
    assert read({"access_token": OPEN_ENDED, "expires_in": expires_in}).expires_at == expires_at
    assert read({"access_token": ACCESS, "expires_in": expires_in}).expires_at == NOW + 864_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Just a moment...</body></html>",
        b"[]",
        b"null",
        b"{}",
        b'{"access_token": ""}',
        b'{"access_token": "not a token"}',
        b'{"access_token": "opaque-token", "refresh_token": "rt_next_one"}',
        b'{"access_token": "a.b.c"}',
        b'{"access_token": {"a": 1}}',
        b'{"access_token": "eyJ", "refresh_token": "short"}',
        json.dumps({"access_token": ACCESS + "\n"}).encode(),
        json.dumps({"access_token": "eyJ" + "a" * 20_000}).encode(),
    ],
)
def test_nonsense_with_a_200_is_a_failure_for_now(body: bytes) -> None:
    """C09; and the exchange may have been carried out."""
    with pytest.raises(RefreshFailed) as failed:
        read_answer(200, body, NOW)
    assert failed.value.after_dispatch


def test_a_rotated_token_alone_is_not_lost() -> None:
    assert read({"refresh_token": "rt_next_one"}) == Grant(None, Secret("rt_next_one"))


# --- refusals

FOR_GOOD = [
    "refresh_token_expired",
    "refresh_token_reused",
    "refresh_token_invalidated",
    "refresh_token_revoked",
    "invalid_grant",
    "access_denied",
    "token_invalidated",
    "token_expired",
    "token_revoked",
    "app_session_terminated",
    "account_session_expired",
    "account_deactivated",
    "account_suspended",
    "account_deleted",
]
FORMS = [
    lambda code: {"error": {"code": code, "message": "planted"}},
    lambda code: {"error": {"type": code}},
    lambda code: {"error": code, "error_description": "planted"},
    lambda code: {"code": code},
    lambda code: {"error_code": code},
    lambda code: {"error": code.upper()},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("code", FOR_GOOD)
def test_codes_that_end_a_login(code: str, status: int, form: Any) -> None:
    with pytest.raises(RefreshRefused) as refused:
        read(form(code), status)
    assert refused.value.reason == code


@pytest.mark.parametrize(
    ("document", "reason"),
    [({"error": "strange_new_code"}, "strange_new_code"), ({}, "refused (401)")],
)
def test_an_unknown_401_is_for_good(document: Any, reason: str) -> None:
    with pytest.raises(RefreshRefused) as refused:
        read(document, 401)
    assert refused.value.reason == reason


OURS = ["invalid_client", "unauthorized_client", "invalid_request", "invalid_scope"]


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        *((401, {"error": code}, f"the token endpoint answered 401 ({code})") for code in OURS),
        *((400, {"error": code}, f"the token endpoint answered 400 ({code})") for code in OURS),
        (400, {"error": "strange"}, "the token endpoint answered 400 (strange)"),
        (403, {}, "the token endpoint answered 403"),
        (404, {"error": "invalid_grant"}, "the token endpoint answered 404 (invalid_grant)"),
        (429, {"error": "token_expired"}, "the token endpoint answered 429 (token_expired)"),
        (500, {"error": "invalid_grant"}, "the token endpoint answered 500 (invalid_grant)"),
        (503, {}, "the token endpoint answered 503"),
        (302, {}, "the token endpoint answered 302"),
        (201, {"access_token": ACCESS}, "the token endpoint answered 201"),
    ],
)
def test_what_may_come_right_by_itself(status: int, document: Any, reason: str) -> None:
    """C10"""
    with pytest.raises(RefreshFailed) as failed:
        read(document, status)
    assert (failed.value.reason, failed.value.after_dispatch) == (reason, False)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 502])
def test_a_page_of_something_on_the_way_ends_nothing(status: int) -> None:
    with pytest.raises(RefreshFailed) as failed:
        read_answer(status, b"<html>invalid_grant</html>", NOW)
    assert failed.value.reason == f"the token endpoint answered {status}"


# --- whatever comes


@given(st.integers(100, 599), st.binary(max_size=200))
@example(200, b"[" * 100_000)
@example(401, b'{"error":' * 50_000)
@example(400, b'{"error": "\\ud800"}')
def test_arbitrary_bytes(status: int, body: bytes) -> None:
    reason, grant = "", None
    try:
        grant = read_answer(status, body, NOW)
    except (RefreshRefused, RefreshFailed) as error:
        reason = error.reason
    assert 0 < len(reason) < 200 or (grant and (grant.access_token or grant.refresh_token))


TOKENS = st.one_of(
    st.from_regex(r"rt_[A-Za-z0-9]{20,60}", fullmatch=True),
    st.from_regex(r"[a-z]{45}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{45}", fullmatch=True),
    st.just(ACCESS),
)
PLACES = st.sampled_from(
    [
        lambda token: {"error": token},
        lambda token: {"error": {"code": token, "message": token}},
        lambda token: {"error": {"type": token}},
        lambda token: {"code": token, "error_description": token},
        lambda token: {"error_code": token},
        lambda token: {"access_token": {"a": token}, "refresh_token": [token]},
    ]
)


@given(TOKENS, PLACES, st.sampled_from([200, 400, 401, 403, 500]))
def test_a_token_that_is_sent_back_is_not_shown(token: str, place: Any, status: int) -> None:
    with pytest.raises((RefreshRefused, RefreshFailed)) as raised:
        read(place(token), status)
    shown = f"{raised.value!r} {raised.value.reason}".lower()
    assert token.lower() not in shown
