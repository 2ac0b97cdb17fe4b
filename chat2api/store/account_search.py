"""Finding accounts among thousands: filters, orders, pages by key, and how many stand how.

How an account stands is said twice, here in SQL and in `service.account_standing` for one row; a test holds
them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, func, or_, select

from chat2api.pool.values import AccountRow
from chat2api.secret import Secret
from chat2api.settings.mask import clip, mask_userinfo
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.opening import Store
from chat2api.store.vault import WrongKey

State = Literal["", "login", "resting", "limited", "in_use", "ready", "paused", "removed"]
Sort = Literal["position", "name", "state", "expiry", "used"]

# Who needs a person comes first.
STATES: tuple[State, ...] = ("login", "resting", "limited", "in_use", "ready", "paused")
SORTS: tuple[Sort, ...] = ("position", "name", "state", "expiry", "used")
SOON_SECONDS = 2 * 86_400.0
GLOBAL_PROXY = "none"

_NEVER = 9e15
_MOST_CHOICES = 50
_LONGEST_SEARCH = 200

_a, _c, _l = tables.accounts.c, tables.credentials.c, tables.account_limits.c
_FIXED = or_(_c.refresh_hash.is_(None), _c.dead_hash == _c.refresh_hash)  # not renewable


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Empty fields let everything pass. `proxy` is a key of `proxies()`, or "none": the global one.

    `expires`: "soon" within two days and not renewable, "expired" and not renewable, "never".
    """

    state: State = ""
    plan: str = ""
    expires: Literal["", "soon", "expired", "never"] = ""
    proxy: str = ""
    search: str = ""
    source: str = ""

    @property
    def is_empty(self) -> bool:
        return self == AccountFilter()


@dataclass(frozen=True, slots=True)
class Order:
    """`down`: the greatest first."""

    sort: Sort = "position"
    down: bool = False


IN_ORDER = Order()
"""As they came."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a filter menu: what goes into the filter, what people read, for how many it holds."""

    key: str
    text: str
    accounts: int


class AccountSearch:
    """All methods raise StorageUnavailable."""

    def __init__(self, store: Store, book: AccountBook) -> None:
        self._store = store
        self._book = book

    def now(self) -> float:
        """The time by which accounts rest and end; epoch seconds."""
        return self._store.now()

    def page(
        self,
        wanted: AccountFilter,
        order: Order = IN_ORDER,
        *,
        after: str = "",
        before: str = "",
        most: int = 50,
    ) -> list[AccountRow]:
        """`after` or `before` an account's id, in the order; one that is gone counts as the beginning."""
        query = _conditions(self._query(), wanted, self._store.now())

        def work(connection: Connection) -> list[str]:
            return self._page_ids(connection, query, order, after or before, not after, most)

        return self._book.rows_of(self._store.database.read(work))

    def _page_ids(
        self,
        connection: Connection,
        query: Any,
        order: Order,
        cursor: str,
        backwards: bool,
        most: int,
    ) -> list[str]:
        key = _key(order.sort, self._store.now())
        backwards = backwards and bool(cursor)
        beyond = self._beyond(connection, key, cursor, order.down is not backwards)
        if beyond is None:
            backwards = False
        else:
            query = query.where(beyond)
        down = order.down is not backwards
        ends = (key.desc(), _a.account_id.desc()) if down else (key, _a.account_id)
        ids = [row[0] for row in connection.execute(query.order_by(*ends).limit(most))]
        return ids[::-1] if backwards else ids

    def _beyond(self, connection: Connection, key: Any, cursor: str, down: bool) -> Any:
        """What comes after an account; None where that account is not there."""
        if not cursor:
            return None
        here = connection.execute(
            select(key).select_from(tables.accounts).where(_a.account_id == cursor)
        ).first()
        if here is None:
            return None
        if down:
            return or_(key < here[0], and_(key == here[0], _a.account_id < cursor))
        return or_(key > here[0], and_(key == here[0], _a.account_id > cursor))

    def place(self, wanted: AccountFilter, order: Order, account_id: str) -> int:
        """How many stand before an account."""
        now = self._store.now()
        query = _conditions(select(func.count()).select_from(tables.accounts), wanted, now)

        def work(connection: Connection) -> int:
            key = _key(order.sort, now)
            beyond = self._beyond(connection, key, account_id, not order.down)
            if beyond is None:
                return 0
            return int(connection.execute(query.where(beyond)).scalar() or 0)

        return self._store.database.read(work)

    def count(self, wanted: AccountFilter) -> int:
        query = _conditions(
            select(func.count()).select_from(tables.accounts), wanted, self._store.now()
        )
        return self._store.database.read(
            lambda connection: int(connection.execute(query).scalar() or 0)
        )

    def ids(self, wanted: AccountFilter, most: int = 10_000) -> list[str]:
        """All that match, in the order they came."""
        query = _conditions(self._query(), wanted, self._store.now())
        query = query.order_by(_a.position, _a.account_id).limit(most)
        return self._store.database.read(
            lambda connection: [row[0] for row in connection.execute(query)]
        )

    def tallies(self) -> dict[State, int]:
        """How many stand how, the removed ones included; every state is there."""
        now = self._store.now()
        rank = _rank(now)
        query = (
            select(rank, func.count())
            .select_from(tables.accounts)
            .where(_a.removed_at.is_(None))
            .group_by(rank)
        )
        removed = select(func.count()).where(_a.removed_at.is_not(None))

        def work(connection: Connection) -> dict[State, int]:
            counted = {int(row[0]): int(row[1]) for row in connection.execute(query)}
            found: dict[State, int] = {
                state: counted.get(number, 0) for number, state in enumerate(STATES)
            }
            found["removed"] = int(connection.execute(removed).scalar() or 0)
            return found

        return self._store.database.read(work)

    def plans(self) -> list[Choice]:
        return self._choices(_a.plan)

    def sources(self) -> list[Choice]:
        return self._choices(_a.source)

    def _choices(self, column: Any) -> list[Choice]:
        query = (
            select(column, func.count())
            .where(_a.removed_at.is_(None), column != "")
            .group_by(column)
            .order_by(func.count().desc(), column)
            .limit(_MOST_CHOICES)
        )
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [Choice(row[0], clip(row[0]), row[1]) for row in rows]

    def proxies(self) -> list[Choice]:
        """The accounts' own proxies, passwords masked."""
        query = (
            select(_a.proxy_hash, func.min(_a.proxy), func.count())
            .where(_a.removed_at.is_(None), _a.proxy_hash.is_not(None))
            .group_by(_a.proxy_hash)
            .order_by(func.count().desc(), _a.proxy_hash)
            .limit(_MOST_CHOICES)
        )
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [Choice(row[0], self._masked(row[1]), row[2]) for row in rows]

    def _masked(self, sealed: str) -> str:
        try:
            opened: Secret = self._store.vault.open(sealed)
        except WrongKey:
            return "***"
        return clip(mask_userinfo(opened.reveal()))

    @staticmethod
    def _query() -> Any:
        return select(_a.account_id)


# --- in SQL


def _conditions(query: Any, wanted: AccountFilter, now: float) -> Any:
    return query.where(*_standing(wanted.state, now), *_facts(wanted, now))


def _standing(state: State, now: float) -> Sequence[Any]:
    if state == "removed":
        return [_a.removed_at.is_not(None)]
    alive = _a.removed_at.is_(None)
    return [alive] if state == "" else [alive, _rank(now) == STATES.index(state)]


def _facts(wanted: AccountFilter, now: float) -> list[Any]:
    found: list[Any] = []
    if wanted.plan:
        found.append(_a.plan == wanted.plan)
    if wanted.source:
        found.append(_a.source == wanted.source)
    if wanted.proxy == GLOBAL_PROXY:
        found.append(_a.proxy.is_(None))
    elif wanted.proxy:
        found.append(_a.proxy_hash == wanted.proxy)
    match wanted.expires:
        case "soon":
            ends = and_(_c.expires_at > now, _c.expires_at <= now + SOON_SECONDS)
            found.append(_whose(_FIXED, ends))
        case "expired":
            found.append(_whose(_FIXED, _c.expires_at <= now))
        case "never":
            found.append(_whose(_c.expires_at.is_(None)))
    words = wanted.search.strip()[:_LONGEST_SEARCH]
    if words:
        found.append(or_(*[_holds(column, words) for column in _SEARCHED]))
    return found


_SEARCHED = (_a.label, _a.note, _a.account_id, _a.workspace_id, _a.source)


def _holds(column: Any, words: str) -> Any:
    return func.lower(column).contains(words.lower(), autoescape=True)


def _whose(*conditions: Any) -> Any:
    """Whose credential is so. Asked as a list, since joining thousands of them means reading their tokens."""
    return _a.credential_id.in_(select(_c.credential_id).where(*conditions))


def _rank(now: float) -> Any:
    """The number of its state in `STATES`."""
    limited = select(_l.account_id).where(_l.until > now)
    return case(
        (_a.paused, STATES.index("paused")),
        (or_(_a.needs_login, _whose(_FIXED, _c.expires_at <= now)), STATES.index("login")),
        (_a.cooling_until > now, STATES.index("resting")),
        (_a.account_id.in_(limited), STATES.index("limited")),
        (_a.running > 0, STATES.index("in_use")),
        else_=STATES.index("ready"),
    )


def _key(sort: Sort, now: float) -> Any:
    match sort:
        case "name":
            return func.lower(_a.label)
        case "state":
            return _rank(now)
        case "expiry":
            ends = select(_c.expires_at).where(_c.credential_id == _a.credential_id)
            return func.coalesce(ends.scalar_subquery(), _NEVER)
        case "used":
            return func.coalesce(_a.last_used_at, 0.0)
        case _:
            return _a.position
