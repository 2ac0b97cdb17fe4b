"""Claims are hints, and no token can make reading them fail (C18)."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat2api.pool.claims import Claims, is_jwt, read_claims
from chat2api.secret import Secret

AUTH = "https://api.openai.com/auth"
PROFILE = "https://api.openai.com/profile"


def jwt(payload: Any, head: str = "eyJhbGciOiJSUzI1NiJ9") -> Secret:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return Secret(f"{head}.{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}.sig")


def test_what_a_token_says() -> None:
    token = jwt(
        {
            "exp": 1_780_000_000,
            "client_id": "app_one",
            "sub": "auth0|other",
            AUTH: {
                "chatgpt_user_id": "user-1",
                "chatgpt_account_id": "team-1",
                "chatgpt_plan_type": "team",
            },
            PROFILE: {"email": "ann@example.com"},
        }
    )
    assert read_claims(token) == Claims(
        1_780_000_000.0, "user-1", "team-1", "ann@example.com", "team", "app_one"
    )


@pytest.mark.parametrize(
    ("payload", "user", "email"),
    [
        ({AUTH: {"user_id": "user-2"}, "email": "a@b.c"}, "user-2", "a@b.c"),
        ({"sub": "auth0|3"}, "auth0|3", ""),
        ({AUTH: "text", PROFILE: [1], "sub": 7, "email": None}, "", ""),
        ({"sub": " a\u0000b\n ", "email": "x" * 999}, "ab", "x" * 320),
    ],
)
def test_where_the_person_may_stand(payload: Any, user: str, email: str) -> None:
    claims = read_claims(jwt(payload))
    assert (claims.user_id, claims.email) == (user, email)


@pytest.mark.parametrize(
    ("exp", "expires_at"),
    [
        (1_780_000_000, 1_780_000_000.0),
        (1_780_000_000.5, 1_780_000_000.5),
        ("1780000000", 1_780_000_000.0),
        ("1.78e9", 1_780_000_000.0),
        (None, None),
        (True, None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        (0, None),
        (-1, None),
        (10**30, None),
        (10**400, None),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_the_end(exp: Any, expires_at: float | None) -> None:
    assert read_claims(jwt({"exp": exp})).expires_at == expires_at


def test_no_end_at_all_and_numbers_json_does_not_know() -> None:
    assert read_claims(jwt({})).expires_at is None
    for text in ('{"exp": NaN}', '{"exp": Infinity}', '{"exp": 1e999}', f'{{"exp": {"9" * 5000}}}'):
        assert read_claims(jwt(text)).expires_at is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "fk-relay-token",
        "a.b",
        "a.b.c.d",
        "..",
        "eyJ.!!!!.sig",
        "eyJ.\u00e9\u00e9\u00e9\u00e9.sig",
        jwt("[1]").reveal(),
        jwt('"text"').reveal(),
        jwt("{").reveal(),
        jwt('{"a":' * 5000).reveal(),
        "a." + "b" * 1_048_576 + ".c",
        jwt({"exp": 1_780_000_000, "pad": "x" * 20_000}).reveal(),
    ],
    ids=range(14),
)
def test_opaque_and_broken_tokens_say_nothing(token: str) -> None:
    assert read_claims(Secret(token)) == Claims()
    assert not is_jwt(Secret(token))


def test_nothing_is_verified_and_nothing_is_trusted() -> None:
    unsigned = jwt({"exp": 1_780_000_000}, head="eyJhbGciOiJub25lIn0")
    assert (is_jwt(unsigned), read_claims(unsigned).expires_at) == (True, 1_780_000_000.0)
    assert read_claims(None) == Claims()


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
)
PAYLOADS = st.dictionaries(
    st.sampled_from(["exp", "sub", "email", "client_id", AUTH, PROFILE]),
    st.one_of(
        SCALARS,
        st.dictionaries(
            st.sampled_from(
                ["chatgpt_user_id", "user_id", "chatgpt_account_id", "chatgpt_plan_type", "email"]
            ),
            SCALARS,
        ),
    ),
)


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(read_claims(Secret(text)), Claims)
    assert isinstance(read_claims(Secret(f"a.{text}.c")), Claims)


@given(PAYLOADS)
@example({"exp": 253_402_300_800})
def test_any_payload_can_be_read(payload: dict[str, Any]) -> None:
    token = jwt(payload)
    claims = read_claims(token)
    assert is_jwt(token) is (len(token.reveal()) <= 16_384)
    assert claims.expires_at is None or 0 < claims.expires_at <= 253_402_300_799
    assert claims.expires_at is None or math.isfinite(claims.expires_at)
    for text in (claims.user_id, claims.workspace_id, claims.email, claims.plan, claims.client_id):
        assert len(text) <= 320
        assert text.isprintable()
