"""The headers of a question to the Codex backend. They name this program for what it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.pool.claims import read_claims
from chat2api.pool.tokens import is_workspace_id
from chat2api.pool.values import Credential
from chat2api.providers.codex.sealing import owner_mark
from chat2api.secret import Secret

ORIGINATOR = "chat2api"


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose account a question is asked. `account_id` is the workspace's, None where nobody knows it."""

    subject: str
    token: Secret
    account_id: str | None
    fedramp: bool = False

    @property
    def owner(self) -> str:
        """The mark of what only this account can read."""
        return owner_mark(self.subject, self.account_id)


def asker_of(credential: Credential, workspace_id: str | None = None) -> Asker | None:
    """`workspace_id` overrides the account's, and that the token's. None without an access token."""
    token = credential.access_token
    if token is None:
        return None
    claims = read_claims(token)
    account_id = workspace_id or credential.workspace_id or claims.workspace_id
    known = account_id if is_workspace_id(account_id) else None
    return Asker(credential.subject, token, known, claims.fedramp)


def common_headers(asker: Asker, user_agent: str, cookies: str = "") -> dict[str, str]:
    """What every question carries; `cookies` is a whole Cookie header."""
    headers = {
        "Authorization": f"Bearer {asker.token.reveal()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": user_agent,
        "originator": ORIGINATOR,
    }
    if asker.account_id is not None:
        headers["ChatGPT-Account-ID"] = asker.account_id
    if asker.fedramp:
        headers["X-OpenAI-Fedramp"] = "true"
    if cookies:
        headers["Cookie"] = cookies
    return headers


def turn_headers(session: str) -> dict[str, str]:
    """What a turn adds: `session` stays the same throughout a conversation, for the upstream's cache."""
    return {
        "Accept": "text/event-stream",
        "Content-Type": "application/json",
        "session-id": session,
    }
