"""What people set on an account, and what the upstream said when it was asked about one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, func, or_, select, true, update

from chat2api.errors import ACCOUNT_CLOSED, Conflict, NotFound, UpstreamChallenge
from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.pool.values import Quota
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_rows import AnyRow, open_or_log, selectable
from chat2api.store.opening import Store
from chat2api.store.picking import put_aside
from chat2api.store.quotas import quota_text

_ROWS_AT_ONCE = 200
_IDS_AT_ONCE = 500

_a, _l = tables.accounts.c, tables.account_limits.c

How = Literal["there", "running", "paused", "removed", "any"]
_HOW: Mapping[How, Any] = {
    "there": _a.removed_at.is_(None),
    "running": and_(_a.removed_at.is_(None), ~_a.paused),
    "paused": and_(_a.removed_at.is_(None), _a.paused),
    "removed": _a.removed_at.is_not(None),
    "any": true(),
}


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What a person may set. `proxy` None is the global one, `concurrency` None as the settings say."""

    label: str
    note: str
    proxy: Secret | None
    concurrency: int | None
    revision: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the upstream said of an account. `limits` None: it did not tell (`providers.AccountCheck`)."""

    quota: Quota
    email: str = ""
    plan: str = ""
    limits: Mapping[str, float] | None = None
    closed: bool = False


class AccountEdits:
    """All methods raise StorageUnavailable."""

    def __init__(self, store: Store, breathe: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._breathe = breathe

    # --- people

    def which(self, account_ids: Sequence[str], how: How) -> list[str]:
        """Those of them that are so, in the order given."""
        where = _HOW[how]

        def work(connection: Connection) -> set[str]:
            found: set[str] = set()
            for start in range(0, len(account_ids), _IDS_AT_ONCE):
                some = account_ids[start : start + _IDS_AT_ONCE]
                query = select(_a.account_id).where(_a.account_id.in_(some), where)
                found.update(connection.execute(query).scalars())
            return found

        found = self._store.database.read(work)
        return [one for one in dict.fromkeys(account_ids) if one in found]

    def facts(self, account_id: str) -> AccountFacts | None:
        """None where it is not there, or was removed."""
        row = self._store.database.read(lambda connection: _row(connection, account_id))
        if row is None:
            return None
        proxy = open_or_log(row.proxy, self._store.vault)
        return AccountFacts(row.label, row.note, proxy, row.concurrency, row.revision)

    def edit(self, account_id: str, changes: Mapping[str, Any], revision: int | None = None) -> int:
        """Set some of `label`, `note`, `proxy`, `concurrency`; returns the new revision.

        `revision` is the one that the person saw. Raises NotFound; Conflict when it is another by now.
        """
        values = {
            name: value
            for name, value in changes.items()
            if name in ("label", "note", "concurrency")
        }
        if "proxy" in changes:
            values["proxy"] = self._store.vault.seal_or_none(changes["proxy"])
            values["proxy_hash"] = self._store.vault.hash_or_none(changes["proxy"])

        def work(connection: Connection) -> int:
            row = _row(connection, account_id, lock=True)
            if row is None:
                raise NotFound("There is no such account.")
            if revision is not None and revision != row.revision:
                raise Conflict("The account was changed meanwhile; look at it again.")
            fresh = int(row.revision) + 1
            connection.execute(
                update(tables.accounts)
                .where(_a.account_id == account_id)
                .values(values | {"revision": fresh})
            )
            return fresh

        return self._store.database.write(work, durable=True)

    def set_proxy(self, account_ids: Sequence[str], proxy: Secret | None) -> list[str]:
        """The same for many, but for those of a configuration file, which says it itself. Which."""
        vault = self._store.vault
        changes = {
            "proxy": vault.seal_or_none(proxy),
            "proxy_hash": vault.hash_or_none(proxy),
            "revision": _a.revision + 1,
        }
        of_a_file = or_(*[func.lower(_a.source).endswith(end) for end in (".yaml", ".yml")])
        changed: list[str] = []
        for start in range(0, len(account_ids), _IDS_AT_ONCE):
            some = account_ids[start : start + _IDS_AT_ONCE]
            mine = and_(_a.account_id.in_(some), _a.removed_at.is_(None), ~of_a_file)
            done = update(tables.accounts).where(mine).values(changes).returning(_a.account_id)
            changed += self._store.database.write(
                lambda connection, done=done: list(connection.execute(done).scalars()),  # type: ignore[misc]
                durable=True,
            )
            self._breathe(BREATH_SECONDS)
        return changed

    # --- the upstream

    def answered(self, account_id: str, answer: Answer) -> bool:
        """Write down what it said. Whether an account that stood aside may serve again by that.

        What it does not confirm is dropped: a cooldown, limits of models, a login that was needed. A rest
        after a challenge stays, since looking is not what it was asked for.
        """
        now = self._store.now()

        def work(connection: Connection) -> bool:
            row = _row(connection, account_id, lock=True)
            if row is None:
                return False
            values: dict[str, Any] = {"checked_at": now, "quota": quota_text(answer.quota)}
            if answer.plan:
                values["plan"] = answer.plan
            if answer.email and not row.label:
                values["label"] = answer.email
            standing = _closed(now) if answer.closed else _standing(row, answer, now)
            values |= standing
            values |= selectable(dict(row._mapping) | values, now)
            connection.execute(
                update(tables.accounts).where(_a.account_id == account_id).values(values)
            )
            fewer = not answer.closed and _set_limits(connection, account_id, answer, now)
            return bool(standing and not answer.closed) or fewer

        return self._store.database.write(work)

    def refused(self, account_id: str, reason: str) -> None:
        """The upstream does not take its credential any more. `reason` is an error's code."""
        now = self._store.now()

        def work(connection: Connection) -> None:
            put_aside(connection, account_id, reason, now)
            _note_checked(connection, account_id, now)

        self._store.database.write(work, durable=True)

    # --- upkeep

    def hash_proxies(self) -> int:
        """Find a name for proxies that were stored before they had one; how many there were."""
        nameless = select(_a.account_id, _a.proxy).where(
            _a.proxy.is_not(None), _a.proxy_hash.is_(None)
        )
        after, count = "", 0
        while True:
            some = (
                nameless.where(_a.account_id > after).order_by(_a.account_id).limit(_ROWS_AT_ONCE)
            )
            rows = self._store.database.read(lambda connection: connection.execute(some).all())  # noqa: B023
            if not rows:
                return count
            after = rows[-1].account_id
            count += self._name(rows)
            self._breathe(BREATH_SECONDS)

    def _name(self, rows: Sequence[AnyRow]) -> int:
        vault = self._store.vault
        opened = {row: open_or_log(row.proxy, vault) for row in rows}

        def work(connection: Connection) -> int:
            done = 0
            for row, proxy in opened.items():
                same = (_a.account_id == row.account_id) & (_a.proxy == row.proxy)
                value = vault.hash_or_none(proxy)
                done += connection.execute(
                    update(tables.accounts).where(same).values(proxy_hash=value)
                ).rowcount
            return done

        return self._store.database.write(work)


def _row(connection: Connection, account_id: str, *, lock: bool = False) -> AnyRow | None:
    query = select(tables.accounts).where(_a.account_id == account_id, _a.removed_at.is_(None))
    return connection.execute(query.with_for_update() if lock else query).first()


def _note_checked(connection: Connection, account_id: str, now: float) -> None:
    connection.execute(
        update(tables.accounts).where(_a.account_id == account_id).values(checked_at=now)
    )


def _closed(now: float) -> dict[str, Any]:
    return {"needs_login": True, "reason": ACCOUNT_CLOSED, "reason_at": now}


def _standing(row: AnyRow, answer: Answer, now: float) -> dict[str, Any]:
    """The columns that change because the upstream does not say what they say."""
    rests = row.cooling_until > now
    confirmed = row.limited and (answer.limits is None or bool(answer.limits))
    ends = rests and not confirmed and row.reason != UpstreamChallenge.code
    values: dict[str, Any] = {}
    if row.needs_login:
        values |= {"needs_login": False}
    if ends:
        values |= {"cooling_until": 0.0, "limited": False, "resting_until": 0.0, "strikes": 0}
    if values and (ends or not rests):
        values |= {"reason": "", "reason_at": None}
    return values


def _set_limits(connection: Connection, account_id: str, answer: Answer, now: float) -> bool:
    """The limits it told instead of those known; whether there are fewer now."""
    if answer.limits is None:
        return False
    mine = _l.account_id == account_id
    rows = connection.execute(select(tables.account_limits).where(mine, _l.until > now)).all()
    known = {row.limit_key: row.until for row in rows}
    told = {key[:200]: until for key, until in answer.limits.items() if until > now}
    if known != told:
        connection.execute(tables.account_limits.delete().where(mine))
        fresh = [
            {"account_id": account_id, "limit_key": key, "until": until}
            for key, until in told.items()
        ]
        if fresh:
            connection.execute(tables.account_limits.insert(), fresh)
    return bool(known.keys() - told.keys())
