"""Logins as JSON: Codex's `auth.json`, its flat and camel-case relatives, a ChatGPT web session, lists of them.

Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chat2api.pool.tokens import TokenText
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.content import (
    EMPTY,
    Unreadable,
    bounded,
    json_of,
    text_of,
    whole_or_nothing,
)
from chat2api.service.importing.fields import (
    BAD_PROXY,
    NOT_A_TOKEN,
    NOT_AN_ENTRY,
    access_token_of,
    email_of,
    first_of,
    id_token_of,
    label_of,
    moment_of,
    opaque_of,
    proxy_of,
    refresh_token_of,
    token_of,
    workspace_of,
)
from chat2api.service.importing.found import Found, FoundAccount, Skipped, joined, nothing
from chat2api.service.importing.logins import LONGEST_PLAN, login, login_of

API_KEY_ONLY = "holds an API key and no ChatGPT login"
NO_TOKENS = "holds no access token and no refresh token"
BAD_ACCESS = "its access token is none and was left out"
BAD_REFRESH = "its refresh token is none and was left out"

_LONGEST_NOTE = 2_000


@whole_or_nothing
def read_auth_file(content: bytes, where: str) -> Found:
    text = text_of(content).strip()
    if not text:
        raise Unreadable(EMPTY)
    if text[0] not in '{["':
        return _bare(text, where)
    document = json_of(text)
    if not isinstance(document, list):
        return read_login(document, where)
    bounded(document)
    return joined(
        read_login(entry, f"{where} entry {number}")
        for number, entry in enumerate(document, start=1)
    )


def read_login(entry: Any, where: str) -> Found:
    """One login of any of these shapes, or a bare token."""
    if isinstance(entry, str):
        return _bare(entry, where)
    if not isinstance(entry, dict):
        return nothing(where, NOT_AN_ENTRY)
    inner = entry.get("tokens")
    tokens = inner if isinstance(inner, dict) else entry
    said = entry.get("kind")  # in our own exports
    is_codex = tokens is inner or "codex" in (said, label_of(entry.get("type")).lower())
    access, refresh, trouble = _pair(tokens, is_codex=is_codex)
    if access is None and refresh is None:
        return nothing(where, trouble[0] if trouble else _why_none(entry))
    proxy, is_proxy_fine = proxy_of(first_of(entry, "proxy", "proxy_url"))
    account = _account(entry, tokens, access, refresh, proxy, is_codex=is_codex)
    reasons = trouble if is_proxy_fine else (*trouble, BAD_PROXY)
    return Found(
        accounts=(FoundAccount(account, where),),
        skipped=tuple(Skipped(where, reason) for reason in reasons),
    )


def _bare(text: str, where: str) -> Found:
    token = token_of(text)
    if token is None:
        return nothing(where, NOT_A_TOKEN)
    return Found(accounts=(FoundAccount(login_of(token), where),))


def _pair(
    tokens: dict[str, Any], *, is_codex: bool
) -> tuple[TokenText | None, TokenText | None, tuple[str, ...]]:
    """Access and refresh token, and what was wrong with either."""
    written_access = first_of(tokens, "access_token", "accessToken")
    written_refresh = first_of(tokens, "refresh_token", "refreshToken")
    access = access_token_of(written_access)
    refresh = refresh_token_of(written_refresh)
    if refresh is None and is_codex:
        refresh = _opaque(written_refresh)
    trouble = (
        (BAD_ACCESS, written_access is not None and access is None),
        (BAD_REFRESH, written_refresh is not None and refresh is None),
    )
    return access, refresh, tuple(reason for reason, is_so in trouble if is_so)


def _opaque(value: Any) -> TokenText | None:
    # Codex's own file leaves no doubt; the form of these tokens has changed before.
    token = opaque_of(value)
    is_access = access_token_of(value) is not None
    return TokenText("refresh", token) if token is not None and not is_access else None


def _account(
    entry: dict[str, Any],
    tokens: dict[str, Any],
    access: TokenText | None,
    refresh: TokenText | None,
    proxy: Secret | None,
    *,
    is_codex: bool,
) -> NewAccount:
    user = entry.get("user")
    email = entry.get("email") or (user.get("email") if isinstance(user, dict) else "")
    kind = label_of(entry.get("type"), LONGEST_PLAN).lower()
    written = workspace_of(first_of(tokens, "account_id", "accountId"))
    parts = [part.workspace_id for part in (access, refresh) if part is not None]
    account = login(
        access.token if access else None,
        refresh.token if refresh else None,
        id_token=id_token_of(first_of(tokens, "id_token", "idToken")),
        workspace_id=next((each for each in (written, *parts) if each), None),
        email=email_of(email) or label_of(entry.get("name")),
        plan="" if kind == "codex" else kind,
        is_codex=is_codex,
        is_web=entry.get("kind") == "web",
        proxy=proxy,
        refreshed_at=moment_of(first_of(entry, "last_refresh", "lastRefresh")),
    )
    return replace(account, note=label_of(entry.get("note"), _LONGEST_NOTE))


def _why_none(entry: dict[str, Any]) -> str:
    has_key = isinstance(entry.get("OPENAI_API_KEY"), str) and entry["OPENAI_API_KEY"]
    return API_KEY_ONLY if has_key else NO_TOKENS
