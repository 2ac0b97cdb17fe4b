"""One account out of the tokens of one login, with what the tokens tell about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from chat2api.pool.claims import read_claims
from chat2api.pool.tokens import TokenText
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.fields import email_of, label_of, workspace_of

CODEX_CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
LONGEST_PLAN = 40


def login(
    access_token: Secret | None,
    refresh_token: Secret | None,
    *,
    id_token: Secret | None = None,
    workspace_id: str | None = None,
    email: str = "",
    plan: str = "",
    is_codex: bool = False,
    is_web: bool = False,
    proxy: Secret | None = None,
    refreshed_at: float | None = None,
    pooled: bool = True,
    refused: str = "",
) -> NewAccount:
    """What is not given is read off the tokens. A Codex login needs its account id with every request.

    `is_web`: somebody who knows says that it is none, whatever the tokens look like.
    """
    claims = (read_claims(id_token), read_claims(access_token))
    is_codex = not is_web and (
        is_codex or any(each.client_id == CODEX_CLIENT_ID for each in claims)
    )
    if is_codex and workspace_id is None:
        workspace_id = _first(workspace_of(each.workspace_id) for each in claims) or None
    return NewAccount(
        access_token=access_token,
        refresh_token=refresh_token,
        id_token=id_token,
        workspace_id=workspace_id,
        email=email or _first(email_of(each.email) for each in claims),
        plan=plan or _first(label_of(each.plan, LONGEST_PLAN) for each in claims),
        kind="codex" if is_codex else "web",
        client_id=CODEX_CLIENT_ID if is_codex else "",
        proxy=proxy,
        pooled=pooled,
        refused=refused,
        refreshed_at=refreshed_at,
    )


def login_of(
    token: TokenText, *, email: str = "", pooled: bool = True, refused: str = ""
) -> NewAccount:
    """An account of which one token is known."""
    is_access = token.kind == "access"
    return login(
        token.token if is_access else None,
        None if is_access else token.token,
        workspace_id=token.workspace_id,
        email=email,
        pooled=pooled,
        refused=refused,
    )


def _first(texts: Iterable[str | None]) -> str:
    return next((text for text in texts if text), "")
