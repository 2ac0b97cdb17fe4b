"""Chat-Share's `chatToken.json` (accounts) and `users.json` (who is bound to which). Pure."""

from __future__ import annotations

from typing import Any

from chat2api.service.importing.auth_files import read_login
from chat2api.service.importing.content import json_list, text_of, whole_or_nothing
from chat2api.service.importing.fields import NOT_AN_ENTRY, email_of
from chat2api.service.importing.found import Found, FoundSeed, Skipped, joined, nothing
from chat2api.service.importing.mirror_maps import BAD_BINDING, NOT_A_SEED, bound_account, seed_of

NOT_BOUND = "is bound to no account"

_OF_A_LOGIN = ("email", "access_token", "refresh_token")


@whole_or_nothing
def read_chat_tokens(content: bytes, where: str) -> Found:
    """`[{"email", "access_token", "refresh_token", …}]`."""
    return joined(
        _login(entry, f"{where} entry {number}")
        for number, entry in enumerate(json_list(text_of(content)), start=1)
    )


@whole_or_nothing
def read_users(content: bytes, where: str) -> Found:
    """`[{"id", "bind_email", "bind_token", …}]`: the id is the seed."""
    return joined(
        _user(entry, f"{where} entry {number}")
        for number, entry in enumerate(json_list(text_of(content)), start=1)
    )


def _login(entry: Any, where: str) -> Found:
    if not isinstance(entry, dict):
        return nothing(where, NOT_AN_ENTRY)
    # `type` is the name of a picture there.
    return read_login({name: entry.get(name) for name in _OF_A_LOGIN}, where)


def _user(entry: Any, where: str) -> Found:
    if not isinstance(entry, dict):
        return nothing(where, NOT_AN_ENTRY)
    seed = seed_of(entry.get("id"))
    if seed is None:
        return nothing(where, NOT_A_SEED)
    email = email_of(entry.get("bind_email"))
    account, is_bound_well = bound_account(entry.get("bind_token"), email=email)
    if account is None and not email:
        return nothing(where, NOT_BOUND if is_bound_well else BAD_BINDING)
    found = FoundSeed(seed, None, account, "", (), managed=False, where=where, email=email)
    return Found(seeds=(found,), skipped=() if is_bound_well else (Skipped(where, BAD_BINDING),))
