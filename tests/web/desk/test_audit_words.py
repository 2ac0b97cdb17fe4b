"""Actions in the reader's language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chat2api.service.logins import LOGGED_IN
from chat2api.web.desk import audit_words
from chat2api.web.desk.account_acts import ACTIONS
from chat2api.web.desk.audit_words import action_words


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("sign in", "Signed in"),
        ("pause accounts", "Accounts paused"),
        ("change configuration", "Configuration changed"),
        ("something new\u202e", "something new\ufffd"),
        ("disable accounts", "Accounts paused"),
        ("sign in failed", "Sign-in failed"),
        ("", ""),
    ],
)
def test_words(site: Any, action: str, words: str) -> None:
    with site.app.test_request_context("/"):
        assert action_words(action) == words


def test_every_action_that_is_noted_has_words(site: Any) -> None:
    package = Path(audit_words.__file__).parents[2]
    rooms = ("service", "store", "jobs", "web", "factory", "cli")
    texts = [path.read_text("utf-8") for room in rooms for path in (package / room).rglob("*.py")]
    noted = {name for text in texts for name in re.findall(r'note_change\(\s*"([^"]+)"', text)}
    noted |= {f"{action} accounts" for action in ACTIONS} | {LOGGED_IN, "login refused"}
    for pattern in (
        r'\bshop\.note\(\s*"([^"]+)"',
        r'\b_Change\(\s*"([^"]+)"',
        r'\b_note\(store, "([^"]+)"',
        r'\b_tell\("([^"]+)"',
        r'\bnote\("([a-z]+_[a-z_]+)", \{',
        r'\.note\(\s*(?:"\w*"|actor|admin_actor\(\)), (?:""|address), "([^"]+)"',
        r'\bwrong: str = "([^"]+)"',
        r'_judged\(secret, "([^"]+)"',
    ):
        found = {name for text in texts for name in re.findall(pattern, text)}
        assert found, pattern
        noted |= found
    assert len(noted) > 45
    with site.app.test_request_context("/?lang=zh"):
        assert {action for action in noted if action_words(action).isascii()} == set()


def test_in_chinese(site: Any) -> None:
    with site.app.test_request_context("/?lang=zh"):
        assert action_words("create key") == "创建密钥"
