"""Actions in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.web.desk.audit_words import action_words


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("sign in", "Signed in"),
        ("pause accounts", "Accounts paused"),
        ("change configuration", "Configuration changed"),
        ("something new\u202e", "something new\ufffd"),
        ("", ""),
    ],
)
def test_words(site: Any, action: str, words: str) -> None:
    with site.app.test_request_context("/"):
        assert action_words(action) == words


def test_in_chinese(site: Any) -> None:
    with site.app.test_request_context("/?lang=zh"):
        assert action_words("create key") == "创建密钥"
