"""From table rows to accounts as values: for a turn, and for people to look at."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from sqlalchemy import Row, and_, select

from chat2api.pool.policy import Standing
from chat2api.pool.tokens import mask_token
from chat2api.pool.values import (
    Account,
    AccountKind,
    AccountRow,
    AccountState,
    Credential,
    Look,
    Renewal,
)
from chat2api.secret import Secret
from chat2api.settings.mask import mask_userinfo
from chat2api.store import tables
from chat2api.store.quotas import quota_of
from chat2api.store.vault import Vault, WrongKey

log = logging.getLogger(__name__)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

_a, _c = tables.accounts.c, tables.credentials.c

DAMAGED = "its stored data are damaged"

RENEWABLE = and_(
    _c.refresh_token.is_not(None), (_c.dead_hash.is_(None)) | (_c.dead_hash != _c.refresh_hash)
)

FOR_A_TURN = select(
    _a.account_id,
    _a.provider,
    _a.credential_id,
    _a.workspace_id,
    _a.proxy,
    _a.look,
    _a.needs_login,
    _a.reason,
    _a.cooling_until,
    _a.limited,
    _a.resting_until,
    _a.strikes,
    _c.access_token,
    _c.expires_at,
    _c.version,
    RENEWABLE.label("renewable"),
).join(tables.credentials, _c.credential_id == _a.credential_id)


def account_of(row: AnyRow, vault: Vault) -> Account:
    """For one turn, its access token opened. Raises WrongKey."""
    return Account(
        account_id=row.account_id,
        provider=row.provider,
        credential=Credential(
            row.account_id,
            vault.open_or_none(row.access_token),
            row.workspace_id,
            look_of(row.look),
        ),
        proxy=vault.open_or_none(row.proxy),
        renewal=Renewal(
            row.credential_id,
            row.version,
            bool(row.renewable),
            row.expires_at,
            row.access_token is not None,
        ),
    )


def standing_of(row: AnyRow, limits: Mapping[str, float]) -> Standing:
    return Standing(
        cooling_until=row.cooling_until,
        limited=bool(row.limited),
        resting_until=row.resting_until,
        model_limits=tuple(limits.items()),
        strikes=row.strikes,
        needs_login=bool(row.needs_login),
    )


def look_of(text: str) -> Look:
    """The stored look; a damaged one is plain (fault matrix E14)."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return Look()
    if not isinstance(value, dict):
        return Look()
    return Look(str(value.get("user_agent") or ""), str(value.get("device_id") or ""))


def look_text(look: Look) -> str:
    fields = {"user_agent": look.user_agent, "device_id": look.device_id}
    return json.dumps({name: text for name, text in fields.items() if text})


def selectable(row: Mapping[str, Any] | AnyRow, now: float) -> dict[str, Any]:
    """The derived columns by which the next account is found: whether it may be picked, and if only
    later, when."""
    fields = row if isinstance(row, Mapping) else row._mapping
    fit = bool(
        fields["pooled"]
        and not fields["paused"]
        and fields["removed_at"] is None
        and not fields["needs_login"]
    )
    cools = fit and fields["cooling_until"] > now
    return {
        "selectable": fit and not cools,
        "wake_at": fields["cooling_until"] if cools else None,
    }


# --- for people

FOR_PEOPLE = select(
    tables.accounts,
    _c.access_token,
    _c.refresh_token,
    _c.expires_at,
    _c.refreshed_at,
    _c.refresh_error,
    _c.refresh_error_at,
    _c.refresh_until,
    RENEWABLE.label("renewable"),
    (_c.dead_hash.is_not(None) & (_c.dead_hash == _c.refresh_hash)).label("dead"),
).join(tables.credentials, _c.credential_id == _a.credential_id)


def row_for_people(
    row: AnyRow, limits: Mapping[str, float], vault: Vault, now: float
) -> AccountRow:
    """Secrets masked. A text that cannot be opened shows as such, and the others are listed (E14)."""
    state = _state(row, now)
    return AccountRow(
        account_id=row.account_id,
        provider=row.provider,
        kind=cast(AccountKind, row.kind),
        state=state,
        label=row.label,
        plan=row.plan,
        workspace_id=row.workspace_id,
        source=row.source,
        masked_token=_masked(row.refresh_token or row.access_token, vault),
        renewable=bool(row.renewable),
        expires_at=row.expires_at,
        until=row.cooling_until if state in ("cooling", "limited") else None,
        reason=row.reason or (row.refresh_error if row.dead else ""),
        reason_at=row.reason_at or (row.refresh_error_at if row.dead else None),
        model_limits={key: until for key, until in limits.items() if until > now},
        proxy_masked=_proxy(row.proxy, vault),
        note=row.note,
        running=row.running,
        last_used_at=row.last_used_at,
        refreshed_at=row.refreshed_at,
        removed_at=row.removed_at,
        pooled=bool(row.pooled),
        position=row.position,
        created_at=row.created_at,
        resting_until=row.resting_until,
        rested_until=max(row.cooling_until, row.resting_until),
        has_refresh_token=row.refresh_token is not None,
        renewing=row.refresh_until > now,
        refused_at=row.refresh_error_at if row.dead else None,
        checked_at=row.checked_at,
        quota=quota_of(row.quota),
        concurrency=row.concurrency,
        revision=row.revision,
    )


def damaged_row(row: AnyRow) -> AccountRow:
    """For one whose columns hold what they cannot: shown without them, so that it can be removed (E14)."""
    return AccountRow(
        account_id=row.account_id,
        provider=str(row.provider),
        kind="web",
        state="disabled" if row.paused or row.removed_at is not None else "needs_login",
        label=str(row.label),
        plan="",
        workspace_id=None,
        source=str(row.source),
        masked_token="***",  # noqa: S106 - the mask itself
        renewable=False,
        expires_at=None,
        until=None,
        reason=DAMAGED,
        reason_at=None,
    )


def _state(row: AnyRow, now: float) -> AccountState:
    if row.paused or row.removed_at is not None:
        return "disabled"
    if not row.renewable and row.expires_at is not None and row.expires_at <= now:
        return "needs_login"
    return standing_of(row, {}).state(now)


def _masked(sealed: str | None, vault: Vault) -> str:
    token = open_or_log(sealed, vault)
    return "***" if token is None else mask_token(token)


def _proxy(sealed: str | None, vault: Vault) -> str:
    proxy = open_or_log(sealed, vault)
    return "" if proxy is None else mask_userinfo(proxy.reveal())


def open_or_log(sealed: str | None, vault: Vault) -> Secret | None:
    """None also for what cannot be opened."""
    try:
        return vault.open_or_none(sealed)
    except WrongKey:
        log.error("a sealed text of an account cannot be opened")
        return None
