"""One word for how an account stands; that SQL says the same is tested beside `store.account_search`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chat2api.errors import ACCOUNT_CLOSED, UpstreamChallenge
from chat2api.pool.values import AccountRow
from chat2api.service.account_standing import Standing, standing, state_of

NOW = 1_000.0
DAY = 86_400.0
ROW = AccountRow(
    "acct_1", "chatgpt", "web", "active", "ann", "plus", None, "test", "eyJ...x", True,
    NOW + 9 * DAY, None, "", None, last_used_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Standing("ready")),
        ({"last_used_at": None}, Standing("unchecked")),
        ({"last_used_at": None, "checked_at": NOW}, Standing("ready")),
        ({"running": 2}, Standing("in_use")),
        ({"running": 2, "renewing": True}, Standing("in_use")),
        ({"renewing": True}, Standing("renewing")),
        ({"renewable": False}, Standing("ready")),
        ({"renewable": False, "expires_at": NOW + DAY}, Standing("ending", NOW + DAY)),
        ({"expires_at": NOW + DAY}, Standing("ready")),
        ({"renewable": False, "expires_at": None}, Standing("ready")),
        (
            {"model_limits": {"a": NOW + 1, "b": NOW + 2, "c": NOW}},
            Standing("limited", NOW + 2, "b"),
        ),
        ({"state": "cooling", "until": NOW + 5, "running": 1}, Standing("resting", NOW + 5)),
        ({"state": "limited", "until": NOW + 5}, Standing("resting", NOW + 5)),
        (
            {"state": "cooling", "until": NOW + 5, "reason": UpstreamChallenge.code},
            Standing("challenge", NOW + 5),
        ),
        ({"state": "needs_login"}, Standing("login")),
        ({"state": "needs_login", "reason": ACCOUNT_CLOSED}, Standing("closed")),
        ({"state": "disabled"}, Standing("paused")),
        ({"state": "disabled", "removed_at": NOW}, Standing("removed")),
    ],
)
def test_the_word(changes: dict[str, object], expected: Standing) -> None:
    assert standing(replace(ROW, **changes), NOW) == expected  # type: ignore[arg-type]


def test_words_belong_to_states() -> None:
    assert [state_of(word) for word in ("closed", "challenge", "ending", "limited")] == [
        "login", "resting", "ready", "limited",
    ]  # fmt: skip
