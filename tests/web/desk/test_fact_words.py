"""Reasons, people and single facts, in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.web.desk.fact_words import actor_words, fact_words, kind_words, reason_words

REASONS = [
    ("it has no refresh token", "There is no refresh token."),
    (
        "the renewal was refused: refresh_token_invalidated",
        "The renewal was refused: its refresh token was made invalid.",
    ),
    ("the renewal was refused: odd_code", "The renewal was refused: odd_code."),
    ("the token endpoint answered 503", "The login server answered 503."),
    ("the token endpoint answered 400 (bad_thing)", "The login server answered 400 bad_thing."),
    ("no answer from the token endpoint: timed out", "The login server did not answer."),
    ("an unexpected error; the log tells more", "An unexpected error; the log tells more."),
]


@pytest.mark.parametrize(("reason", "words"), REASONS)
def test_reasons(site: Any, reason: str, words: str) -> None:
    with site.app.test_request_context("/"):
        assert reason_words(reason) == words
    with site.app.test_request_context("/?lang=zh"):
        assert not reason_words(reason).isascii()


def test_what_is_not_known_has_no_words(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert reason_words("something foreign") == ""
        assert reason_words("") == ""


def test_who_did_it(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert actor_words("session 830733aabbcc") == "somebody signed in (830733)"
        assert actor_words("session 830733aabbcc", "session 830733aabbcc") == "you"
        assert actor_words("bearer", "bearer") == "a script"
        assert actor_words("cli") == "the command line"
        assert actor_words("system") == "the server itself"
        assert actor_words("odd\u202e") == "odd\N{REPLACEMENT CHARACTER}"
        assert actor_words("") == ""


@pytest.mark.parametrize(
    ("name", "value", "english", "chinese"),
    [
        ("seconds", 15, "for 15 s", "持续 15 秒"),
        ("model", "auto", "model auto", "模型 auto"),
        ("source", "pasted", "source: pasted", "来源：pasted"),
        ("changed", "label, note", "changed: label, note", "已更改：label, note"),
        ("undone", True, "undone", "已撤销"),
        ("result", "updated", "new tokens", "令牌已更新"),
        ("reason", "it has no refresh token", "There is no refresh token.", "没有刷新令牌。"),
        ("reason", "foreign", "foreign", "foreign"),
        ("of tomorrow", 7, "of tomorrow: 7", "of tomorrow: 7"),
    ],
)
def test_facts(site: Any, name: str, value: object, english: str, chinese: str) -> None:
    for language, words in (("en", english), ("zh", chinese)):
        with site.app.test_request_context(f"/?lang={language}"):
            assert fact_words(name, value) == words


def test_kinds_of_logins(site: Any) -> None:
    with site.app.test_request_context("/?lang=zh"):
        assert not kind_words("web").isascii()
        assert not kind_words("codex").isascii()
        assert kind_words("odd") == "odd"
