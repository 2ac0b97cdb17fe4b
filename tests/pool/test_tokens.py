"""What a pasted line is, before anything is done with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.tokens import (
    TokenText,
    is_filler,
    is_legacy_refresh_token,
    is_workspace_id,
    looks_like_access_token,
    mask_token,
    parse_line,
    parse_token,
    token_kind,
)
from chat2api.secret import Secret

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.sig"
MODERN = "rt_" + "a1" * 20
DOTTED = "rt." + "1.AXXb_" * 5
LEGACY = "b2-c4" * 9
TEAM = "0b6a1f6e-9a1e-4f53-9d5e-0a0a0a0a0a0a"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (JWT, "access"),
        ("fk-relay-token", "access"),
        (MODERN, "refresh"),
        (DOTTED, "refresh"),
        (LEGACY, "refresh"),
        ("rt_" + "a" * 42, "refresh"),
        ("sk-" + "a" * 42, None),  # a key of ours is as long
        ("sk-1234567890", None),
        ("a" * 44, None),
        ("a" * 46, None),
        ("rt_short", None),
        ("fk-", None),
        ("eyJhbGciOi", None),
        ("", None),
        (JWT + " x", None),
        (JWT + "\n", None),
        ("eyJhbGciOi" + "a" * 20_000, None),
        ("eyJhbGciOi\u00e9\u00e9", None),
    ],
)
def test_kinds(text: str, kind: str | None) -> None:
    assert token_kind(text) == kind
    assert looks_like_access_token(text) is (kind == "access")


def test_the_old_kind_of_refresh_token() -> None:
    kinds = {text: is_legacy_refresh_token(Secret(text)) for text in (LEGACY, MODERN)}
    assert kinds == {LEGACY: True, MODERN: False}
    assert not is_legacy_refresh_token(
        Secret("rt_" + "a" * 42)
    )  # 45 characters, but says what it is


@pytest.mark.parametrize("token", [JWT, MODERN, LEGACY])
def test_a_workspace_behind_it(token: str) -> None:
    kind = token_kind(token)
    assert kind is not None
    for text in (f"{token},{TEAM}", f" {token} , {TEAM} \r\n", f"{token},{TEAM} # mine"):
        assert parse_line(text) == TokenText(kind, Secret(token), TEAM)
    for text in (token, f"{token},", f"{token}\r", f"{token}\t# mine, not yours"):
        assert parse_line(text) == TokenText(kind, Secret(token), None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# comment",
        "hello",
        f"{JWT},team id,more",
        f"{JWT},{'w' * 65}",
        f"{JWT},a/b",
        f"<a href='{JWT}'>",
        f'"{JWT}"',
        f"{JWT} {JWT}",
        f",{TEAM}",
    ],
)
def test_lines_without_a_token(line: str) -> None:
    assert parse_line(line) is None


def test_only_what_breaks_no_header_is_a_workspace() -> None:
    assert all(is_workspace_id(text) for text in (TEAM, "org_1", "a"))
    assert not any(is_workspace_id(text) for text in ("", "a b", "a\r\nX: y", "a\n", "w" * 65))


@pytest.mark.parametrize(
    ("line", "filler"),
    [("", True), ("  \t", True), ("# x", True), ("-----", True), ("a", False), (JWT, False)],
)
def test_filler(line: str, filler: bool) -> None:
    assert is_filler(line) is filler


def test_masks() -> None:
    assert mask_token(Secret(MODERN)) == "rt_a1a...a1a1"
    assert mask_token(Secret("fk-12345678901234567")) == "***"


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    for found in (parse_line(text), parse_token(text)):
        assert found is None or token_kind(found.token.reveal()) == found.kind
    assert parse_line(f"{text}{JWT}é") is None


@given(st.from_regex(r"[A-Za-z0-9_.~+/=-]{45}", fullmatch=True))
def test_a_key_of_ours_is_never_taken_for_a_token(text: str) -> None:
    """C22: and the other way about."""
    assert token_kind("sk-" + text[3:]) is None
