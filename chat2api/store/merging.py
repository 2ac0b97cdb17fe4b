"""What a renewal tells about the accounts that live on it: that they are fit again, and who they are.

An account that came as a bare refresh token may turn out to be one that is known; then the two become one,
and everything that points to the dropped row follows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, exists, select, update

from chat2api.pool.claims import Claims
from chat2api.pool.identity import claims_of, identity_by_claims, is_provisional
from chat2api.pool.values import Grant
from chat2api.store import tables
from chat2api.store.account_rows import AnyRow, selectable
from chat2api.store.engine import insert_new
from chat2api.store.opening import Store

_a, _c, _l = tables.accounts.c, tables.credentials.c, tables.account_limits.c
_FOLLOWING = (tables.leases, tables.conversations, tables.seeds, tables.seed_conversations)


def tell_accounts(
    connection: Connection, store: Store, credential: AnyRow, grant: Grant, now: float
) -> None:
    """After a renewal; `credential` is its row as it was before."""
    if not grant.access_token:
        return
    claims = claims_of(grant.access_token, grant.id_token)
    for row in accounts_on(connection, credential.credential_id):
        values = _news(row, credential, claims)
        values |= selectable(dict(row._mapping) | values, now)
        _write(connection, row.account_id, values)
        identity = identity_by_claims(claims, row.workspace_id, store.vault.hash)
        if identity is not None and identity != row.identity and is_provisional(row.identity):
            _settle_identity(connection, row.account_id, identity, claims.user_id, now)


def accounts_on(connection: Connection, credential_id: str) -> list[AnyRow]:
    """The accounts that live on a credential: one, or one for each workspace; to be changed."""
    query = select(tables.accounts).where(_a.credential_id == credential_id)
    return list(connection.execute(query.order_by(_a.position, _a.account_id).with_for_update()))


def _news(row: AnyRow, credential: AnyRow, claims: Claims) -> dict[str, Any]:
    values: dict[str, Any] = {"needs_login": False}
    values |= {"label": claims.email} if claims.email and not row.label else {}
    values |= {"plan": claims.plan} if claims.plan else {}
    # A rest that the upstream asked for goes on; one that only waited for this token ends.
    waited = bool(row.reason) and row.reason == credential.refresh_error
    if row.needs_login or waited:
        values |= {"reason": "", "reason_at": None}
        values |= {} if row.limited else {"cooling_until": 0.0}
    return values


def _settle_identity(
    connection: Connection, account_id: str, identity: str, user_id: str, now: float
) -> None:
    known = _locked(connection, _a.identity == identity)
    if known is None:
        _write(connection, account_id, {"identity": identity, "user_id": user_id})
        return
    row = _locked(connection, _a.account_id == account_id)
    assert row is not None
    _merge(connection, row, known, now)


def _merge(connection: Connection, row: AnyRow, known: AnyRow, now: float) -> None:
    """The known account takes over the tokens that have just worked, and what hangs on the dropped one."""
    for table in _FOLLOWING:
        connection.execute(
            update(table)
            .where(table.c.account_id == row.account_id)
            .values(account_id=known.account_id)
        )
    _merge_limits(connection, row.account_id, known.account_id)
    connection.execute(tables.accounts.delete().where(_a.account_id == row.account_id))
    values = _merged(row, known)
    values |= selectable(dict(known._mapping) | values, now)
    _write(connection, known.account_id, values)
    _drop_credential(connection, known.credential_id, row.credential_id)


def _merged(row: AnyRow, known: AnyRow) -> dict[str, Any]:
    values = {
        "credential_id": row.credential_id,
        "needs_login": False,
        "removed_at": None,
        "pooled": known.pooled or row.pooled,
        "proxy": known.proxy or row.proxy,
        "proxy_hash": known.proxy_hash if known.proxy else row.proxy_hash,
        "note": known.note or row.note,
        "look": known.look if known.look not in ("", "{}") else row.look,
        "running": known.running + row.running,
    }
    if known.needs_login:
        values |= {"reason": "", "reason_at": None}
        values |= {} if known.limited else {"cooling_until": 0.0}
    if row.source_hash is not None and known.source_hash is None:
        values |= {"source": row.source, "source_hash": row.source_hash}
    return values


def _merge_limits(connection: Connection, dropped: str, known: str) -> None:
    rows = connection.execute(select(tables.account_limits).where(_l.account_id == dropped)).all()
    for limit in rows:
        fresh = {"account_id": known, "limit_key": limit.limit_key, "until": limit.until}
        if not insert_new(connection, tables.account_limits, fresh):
            connection.execute(
                update(tables.account_limits)
                .where(_l.account_id == known, _l.limit_key == limit.limit_key)
                .values(until=case((_l.until > limit.until, _l.until), else_=limit.until))
            )


def _drop_credential(connection: Connection, old: str, new: str) -> None:
    """Its spent tokens stay known, as the new one's: handed in again, they must not be tried."""
    used = connection.execute(select(exists().where(_a.credential_id == old))).scalar()
    if used or old == new:
        return
    theirs = update(tables.known_tokens).where(tables.known_tokens.c.credential_id == old)
    connection.execute(theirs.values(credential_id=new))
    connection.execute(tables.credentials.delete().where(_c.credential_id == old))


def _locked(connection: Connection, where: Any) -> AnyRow | None:
    return connection.execute(select(tables.accounts).where(where).with_for_update()).first()


def _write(connection: Connection, account_id: str, values: dict[str, Any]) -> None:
    connection.execute(update(tables.accounts).where(_a.account_id == account_id).values(values))
