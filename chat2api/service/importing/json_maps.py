"""JSON files of lanqian/chat2api that are keyed by token: renewals and how each token appears upstream. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chat2api.pool.tokens import TokenText
from chat2api.pool.values import Look
from chat2api.service.importing.content import (
    Unreadable,
    as_object,
    bounded,
    json_documents,
    json_object,
    text_of,
    whole_or_nothing,
)
from chat2api.service.importing.fields import (
    BAD_PROXY,
    NOT_A_TOKEN,
    NOT_AN_ENTRY,
    access_token_of,
    first_of,
    look_of,
    moment_of,
    proxy_of,
    token_of,
)
from chat2api.service.importing.found import (
    Found,
    FoundAccount,
    Skipped,
    TokenTrait,
    joined,
    nothing,
)
from chat2api.service.importing.logins import login

BAD_RENEWED = "its access token is none and was left out"

_Read = Callable[[TokenText, dict[str, Any], str], Found]


@whole_or_nothing
def read_refresh_map(content: bytes, where: str) -> Found:
    """`{refresh token: {"token": access token, "timestamp": epoch seconds}}`.

    Not of the pool by themselves: callers' own refresh tokens were noted here as well.
    """
    return _by_token(json_object(text_of(content)), where, _renewal)


@whole_or_nothing
def read_looks(content: bytes, where: str) -> Found:
    """`fp_map.json`, and `user_agents.json` before it, which may be several documents in one file."""
    looks: dict[str, Any] = {}
    for document in json_documents(text_of(content)):
        for key, value in as_object(document).items():  # what was appended later is newer
            looks[key] = {"user-agent": value} if isinstance(value, str) else value
        bounded(looks)
    return _by_token(looks, where, _look)


@whole_or_nothing
def read_routing(content: bytes, where: str) -> Found:
    """`bindings` of `routing_config.json`: a proxy for a token."""
    bindings = json_object(text_of(content)).get("bindings") or {}
    if not isinstance(bindings, dict):
        raise Unreadable("has bindings that are not a JSON object")
    bounded(bindings)
    return _by_token(bindings, where, _binding)


def _by_token(entries: dict[str, Any], where: str, read: _Read) -> Found:
    return joined(
        _entry(key, value, f"{where} entry {number}", read)
        for number, (key, value) in enumerate(entries.items(), start=1)
        if key  # an empty one is how anonymous calls appeared
    )


def _entry(key: str, value: Any, where: str, read: _Read) -> Found:
    token = token_of(key)
    if token is None:
        return nothing(where, NOT_A_TOKEN)
    if not isinstance(value, dict):
        return nothing(where, NOT_AN_ENTRY)
    return read(token, value, where)


def _renewal(token: TokenText, entry: dict[str, Any], where: str) -> Found:
    if token.kind != "refresh":
        return nothing(where, "not a refresh token")
    written = first_of(entry, "token")
    renewed = access_token_of(written)
    account = login(
        renewed.token if renewed else None,
        token.token,
        workspace_id=token.workspace_id or (renewed.workspace_id if renewed else None),
        refreshed_at=moment_of(first_of(entry, "timestamp", "last_success_at"))
        if renewed
        else None,
        pooled=False,
    )
    is_odd = written is not None and renewed is None
    return Found(
        accounts=(FoundAccount(account, where, hint=True),),
        skipped=(Skipped(where, BAD_RENEWED),) if is_odd else (),
    )


def _look(token: TokenText, entry: dict[str, Any], where: str) -> Found:
    return _trait(token, look_of(entry), entry.get("proxy_url"), where)


def _binding(token: TokenText, entry: dict[str, Any], where: str) -> Found:
    return _trait(token, Look(), entry.get("proxy_url"), where)


def _trait(token: TokenText, look: Look, proxy_url: Any, where: str) -> Found:
    proxy, is_fine = proxy_of(proxy_url)
    skipped = () if is_fine else (Skipped(where, BAD_PROXY),)
    if look.is_plain and proxy is None:
        return Found(skipped=skipped)
    trait = TokenTrait(token.token, token.workspace_id, look, proxy, where)
    return Found(traits=(trait,), skipped=skipped)
