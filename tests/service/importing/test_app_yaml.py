"""Accounts of conf/app.<env>.yaml."""

from __future__ import annotations

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing import app_yaml
from chat2api.service.importing.app_yaml import read_app_yaml
from chat2api.service.importing.found import Found, FoundAccount, Skipped

from .samples import CODEX, access, refresh

AT, RT = access("anna"), refresh("anna")


def test_accounts_and_nothing_else() -> None:
    text = f"""
auth:
  access_tokens: [sk-mine]
chatgpts:
  - access_token: Bearer {AT}
    account_id: 42
    type: codex
    last_refresh: 2026-07-01T10:20:30Z
  - {{refresh_token: {RT}, type: Pro, proxy: "socks5://one.example:1080"}}
  - access_token: null
  - {AT}
"""
    assert read_app_yaml(text.encode(), "app.dev.yaml") == Found(
        accounts=(
            FoundAccount(
                NewAccount(
                    access_token=Secret(AT),
                    workspace_id="42",
                    kind="codex",
                    client_id=CODEX,
                    refreshed_at=1_782_901_230.0,
                ),
                "app.dev.yaml entry 1",
            ),
            FoundAccount(
                NewAccount(
                    refresh_token=Secret(RT), plan="pro", proxy=Secret("socks5://one.example:1080")
                ),
                "app.dev.yaml entry 2",
            ),
        ),
        skipped=(
            Skipped("app.dev.yaml entry 3", "holds no access token and no refresh token"),
            Skipped("app.dev.yaml entry 4", "is not an entry of this kind of file"),
        ),
    )


@pytest.mark.parametrize("text", ["", "# empty", "bind: 0.0.0.0", "chatgpts:", "chatgpts: []"])
def test_no_accounts(text: str) -> None:
    assert read_app_yaml(text.encode(), "a") == Found()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a", "does not hold `name: value` lines"),
        ("chatgpts: x", "has chatgpts, and they are not a list"),
        (f"a: 1\nchatgpts: [{AT}", "is damaged (line 2)"),
        ("a: 1\na: 2", "is damaged (line 2)"),
        ("a: !!python/object:os.system x", "is damaged (line 1)"),
        ("a: b: c", "is damaged (line 1)"),
        ("a: \0", "is not valid YAML"),
        ("[" * 1_500, "is nested too deeply"),
        ("a: 2026-13-45", "is not valid YAML"),
    ],
    ids=range(9),
)
def test_damage(text: str, reason: str) -> None:
    assert read_app_yaml(text.encode(), "a") == Found(skipped=(Skipped("a", reason),))


def test_a_file_that_would_take_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_yaml, "LARGEST_YAML_BYTES", 3)
    assert read_app_yaml(b"a: 1", "a") == Found(skipped=(Skipped("a", "is larger than 4 MB"),))
