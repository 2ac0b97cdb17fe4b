"""Which tokens belong to one account: one entry of the pool per person and workspace. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from chat2api.pool.claims import Claims, read_claims
from chat2api.pool.values import Credential, NewAccount
from chat2api.secret import Secret

_LENGTH = 40


def claims_of(access_token: Secret | None, id_token: Secret | None) -> Claims:
    """The access token's claims, completed by the id token's."""
    access, identity = read_claims(access_token), read_claims(id_token)
    return Claims(
        expires_at=access.expires_at,
        user_id=access.user_id or identity.user_id,
        workspace_id=access.workspace_id or identity.workspace_id,
        email=access.email or identity.email,
        plan=access.plan or identity.plan,
        client_id=access.client_id or identity.client_id,
    )


def identity_by_claims(
    claims: Claims, workspace_id: str | None, hash_text: Callable[[str], str]
) -> str | None:
    """The key of an account whose tokens name it; None when they do not.

    Person and workspace, since two members of one workspace are two accounts, and one person may have
    several workspaces. Hashed: the key travels to logs, the person does not.
    """
    person = claims.user_id or claims.email.lower()
    if not person:
        return None
    workspace = workspace_id or claims.workspace_id
    return "user:" + hash_text(f"{person}\0{workspace}")[:_LENGTH]


def identity_of(new: NewAccount, claims: Claims, hash_text: Callable[[str], str]) -> str:
    """The key of an account that is handed in, whose tokens say `claims`; by its token where they say
    nothing."""
    named = identity_by_claims(claims, new.workspace_id, hash_text)
    if named is not None:
        return named
    token = new.refresh_token or new.access_token
    kind = "rt" if new.refresh_token is not None else "at"
    text = token.reveal() if token is not None else ""
    return f"{kind}:" + hash_text(f"{text}\0{new.workspace_id or ''}")[:_LENGTH]


def direct_credential(token: Secret, workspace_id: str | None) -> Credential:
    """For an access token that a caller brought. Its subject is a hash: stable while the token lives, and
    not secret."""
    digest = hashlib.sha256(f"{token.reveal()}\0{workspace_id or ''}".encode()).hexdigest()
    return Credential(digest[:20], token, workspace_id)


def is_provisional(identity: str) -> bool:
    """Whether it stands for a token only, and the account may turn out to be a known one."""
    return identity.startswith("rt:")
