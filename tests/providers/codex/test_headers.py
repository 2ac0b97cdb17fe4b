"""What a question to the backend says of itself."""

from __future__ import annotations

import base64
import json
from typing import Any

from chat2api.pool.values import Credential, Look
from chat2api.providers.codex.headers import asker_of, common_headers, turn_headers
from chat2api.secret import Secret


def token(**auth: Any) -> Secret:
    claims = json.dumps({"https://api.openai.com/auth": auth}).encode()
    return Secret(f"eyJhbGci.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sig")


def test_it_names_this_program_whatever_the_account_looks_like() -> None:
    credential = Credential("a", Secret("eyJ.x"), "w-1", Look(user_agent="Mozilla/5.0"))
    asker = asker_of(credential)
    assert asker is not None
    assert common_headers(asker, "chat2api/1.0") == {
        "Authorization": "Bearer eyJ.x",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "chat2api/1.0",
        "originator": "chat2api",
        "ChatGPT-Account-ID": "w-1",
    }
    assert common_headers(asker, "chat2api/1.0", "__cf_bm=1")["Cookie"] == "__cf_bm=1"


def test_whose_workspace() -> None:
    of_token = token(chatgpt_account_id="w-token")

    def account(workspace: str | None, override: str | None = None) -> str | None:
        asker = asker_of(Credential("a", of_token, workspace), override)
        assert asker is not None
        return asker.account_id

    assert account("w-own", "w-caller") == "w-caller"
    assert account("w-own") == "w-own"
    assert account(None) == "w-token"
    assert account("w\r\nX-Evil: 1") is None
    opaque = asker_of(Credential("a", Secret("eyJ.x")))
    assert opaque is not None
    assert opaque.account_id is None
    assert "ChatGPT-Account-ID" not in common_headers(opaque, "ua")


def test_government_workspaces_say_so() -> None:
    asker = asker_of(Credential("a", token(chatgpt_account_is_fedramp=True)))
    assert asker is not None
    assert common_headers(asker, "ua")["X-OpenAI-Fedramp"] == "true"
    plain = asker_of(Credential("a", token(chatgpt_account_is_fedramp="yes")))
    assert plain is not None
    assert "X-OpenAI-Fedramp" not in common_headers(plain, "ua")


def test_nobody_asks_without_a_token() -> None:
    assert asker_of(Credential("anonymous", None), "w") is None


def test_the_owner_of_reasoning_depends_on_the_workspace() -> None:
    credential = Credential("a", Secret("eyJ.x"), "w-1")
    one, other = asker_of(credential), asker_of(credential, "w-2")
    assert one is not None
    assert other is not None
    assert one.owner != other.owner


def test_a_turn() -> None:
    assert turn_headers("s") == {
        "Accept": "text/event-stream",
        "Content-Type": "application/json",
        "session-id": "s",
    }
