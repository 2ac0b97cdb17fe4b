"""Single values: what is taken, and what is left out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.tokens import TokenText
from chat2api.pool.values import Look
from chat2api.secret import Secret
from chat2api.service.importing.fields import (
    access_token_of,
    email_of,
    first_of,
    id_of,
    id_token_of,
    label_of,
    look_of,
    moment_of,
    opaque_of,
    proxy_of,
    refresh_token_of,
    token_of,
    workspace_of,
)

from .samples import TEAM, access, jwt, legacy, refresh

AT, RT, OLD = access("anna"), refresh("anna"), legacy("anna")
OTHER_JWT = "eyJ0eXAiOiJKV1QifQ." + jwt(a=1).split(".", 1)[1]


def is_access(text: str, workspace: str | None = None) -> TokenText:
    return TokenText("access", Secret(text), workspace)


def is_refresh(text: str, workspace: str | None = None) -> TokenText:
    return TokenText("refresh", Secret(text), workspace)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (AT, is_access(AT)),
        (f" Bearer {AT} ", is_access(AT)),
        (f"{AT},{TEAM}", is_access(AT, TEAM)),
        (RT, is_refresh(RT)),
        (OLD, is_refresh(OLD)),
        (f"{OLD},{TEAM}", is_refresh(OLD, TEAM)),
        (f"{RT},{OLD}", None),
        ("-" * 45, None),
        ("sk-local", None),
        (f"{AT}\n{AT}", None),
        (f'{AT}"><script>', None),
        ("", None),
        ("Bearer", None),
        (None, None),
        (17, None),
        ([AT], None),
    ],
)
def test_tokens(value: Any, token: TokenText | None) -> None:
    assert token_of(value) == token


def test_a_field_that_says_what_it_holds() -> None:
    assert access_token_of(AT) == is_access(AT)
    assert access_token_of(OTHER_JWT) == is_access(OTHER_JWT)
    assert access_token_of(RT) is None
    assert access_token_of("eyJhbG...Qx9w") is None
    assert refresh_token_of(RT) == is_refresh(RT)
    assert refresh_token_of(AT) is None
    assert opaque_of("v1.some-other-form") == Secret("v1.some-other-form")
    assert [opaque_of(value) for value in ("sk-ant-made-up-login", "short", "a b" * 9, None)] == [
        None
    ] * 4
    assert id_token_of(OTHER_JWT) == Secret(OTHER_JWT)
    assert id_token_of("not.a.token-at-all") is None


@pytest.mark.parametrize(
    "value", [AT, RT, OLD, f"mine: {AT}", f"mine {RT}", f"{OLD},x", f"({OLD})", None, 3, "x" * 321]
)
def test_no_token_becomes_a_label(value: Any) -> None:
    assert [label_of(value), email_of(value), id_of(value), workspace_of(value)][:3] == [
        "",
        "",
        None,
    ]


@given(st.text(max_size=400))
def test_labels_are_one_line_that_can_be_stored(text: str) -> None:
    label = label_of(text)
    assert label.isprintable()
    assert label.encode("utf-8", "strict").decode() == label == label.strip()


def test_labels() -> None:
    assert label_of(" a\nb\ud800 ") == "ab"
    assert email_of(" anna@example.com ") == "anna@example.com"
    assert email_of("anna") == ""
    assert id_of(TEAM) == TEAM
    assert id_of("../x") is None
    assert [workspace_of(value) for value in (TEAM, 123, True, "a b", "", OLD, "x" * 65)] == [
        TEAM,
        "123",
        *[None] * 5,
    ]


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1_751_360_000, 1_751_360_000.0),
        ("1751360000.5", 1_751_360_000.5),
        ("2026-07-01T12:00:00Z", NOON.timestamp()),
        ("2026-07-01T12:00:00.250000Z", NOON.timestamp() + 0.25),
        ("2026-07-01T12:00:00.123456789Z", NOON.timestamp() + 0.123456),
        ("2026-07-01T20:00:00+08:00", NOON.timestamp()),
        ("2026-07-01T12:00:00", NOON.timestamp()),
        (NOON, NOON.timestamp()),
        (NOON.replace(tzinfo=None), NOON.timestamp()),
        (date(2026, 7, 1), NOON.timestamp() - 43_200),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        (0, None),
        (-5, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (datetime.min, None),
        ([], None),
    ],
    ids=str,
)
def test_moments(value: Any, moment: float | None) -> None:
    assert moment_of(value) == (pytest.approx(moment) if moment is not None else None)


@pytest.mark.parametrize(
    ("value", "proxy", "is_fine"),
    [
        (None, None, True),
        ("", None, True),
        ("  ", None, True),
        ("socks5://u:p@one.example:1080", "socks5://u:p@one.example:1080", True),
        ("one.example:8080", "http://one.example:8080", True),
        ("ftp://one.example", None, False),
        ("http://", None, False),
        ("http://one.example\r\nX: y", None, False),
        ("http://[::1", None, False),
        (7, None, False),
        ({}, None, False),
    ],
)
def test_proxies(value: Any, proxy: str | None, is_fine: bool) -> None:
    assert proxy_of(value) == (Secret(proxy) if proxy else None, is_fine)


def test_looks() -> None:
    entry = {"User-Agent": "Browser/1.0", "OAI-Device-ID": TEAM, "impersonate": "chrome123"}
    assert look_of(entry) == Look("Browser/1.0", TEAM)
    assert look_of({"user-agent": "Brøwser", "oai-device-id": "a b"}) == Look()
    assert look_of({"user-agent": None, "oai-device-id": 7, 3: 4}) == Look()
    assert look_of({"user-agent": AT, "oai-device-id": OLD}) == Look()


def test_the_first_field_that_says_something() -> None:
    assert first_of({"a": "", "b": None, "c": 3, "d": 4}, "a", "b", "c", "d") == 3
    assert first_of({}, "a") is None
