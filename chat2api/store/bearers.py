"""Refresh tokens that callers bring as their key: kept like an account's, and never in the pool."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, or_, select, update

from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.engine import insert_new
from chat2api.store.vault import Vault

NEVER_WORKED_SECONDS = 3600.0

_c, _known = tables.credentials.c, tables.known_tokens.c


def bearer_id(token: Secret, vault: Vault) -> str:
    """The credential's id: by the token as the caller has it, however often it was renewed since.

    One for all workspaces: the token is single-use, whichever of them its access token then serves.
    """
    return f"bearer_{vault.hash(token.reveal())[:40]}"


def keep_bearer(
    connection: Connection, credential_id: str, token: Secret, vault: Vault, now: float
) -> bool:
    """Make the row at its first use, and note that it was used. False for a token of the pool: it is
    single-use, and a second user of it would cost the account (fault matrix C22)."""
    token_hash = vault.hash(token.reveal())
    if _is_of_the_pool(connection, token_hash):
        return False
    row = {
        "credential_id": credential_id,
        "owner": "bearer",
        "refresh_token": vault.seal(token),
        "refresh_hash": token_hash,
        "created_at": now,
    }
    insert_new(connection, tables.credentials, row)
    used = update(tables.credentials).where(_c.credential_id == credential_id)
    connection.execute(used.values(used_at=now))
    return True


def _is_of_the_pool(connection: Connection, token_hash: str) -> bool:
    query = (
        select(_c.credential_id)
        .join(tables.known_tokens, _known.credential_id == _c.credential_id)
        .where(_known.token_hash == token_hash, _c.owner == "account")
    )
    return connection.execute(query).first() is not None


def forget_bearers(connection: Connection, unused_seconds: float, now: float) -> int:
    """Those nobody used for so long; how many.

    What never gave an access token goes after an hour: anybody may send what looks like a token, and each
    of them makes a row. One whose exchange may have been carried out is kept as long as the others.
    """
    never_worked = and_(_c.access_token.is_(None), _c.sent_at.is_(None), _c.refresh_until <= now)
    old = or_(
        _c.used_at < now - unused_seconds,
        and_(never_worked, _c.used_at < now - NEVER_WORKED_SECONDS),
    )
    return connection.execute(delete(tables.credentials).where(_c.owner == "bearer", old)).rowcount
