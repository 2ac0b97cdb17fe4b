"""The accounts the simulator knows, and which access tokens open them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from chat2api.simulator.quotas import Quota
from chat2api.simulator.tokens import (
    OWN_CLIENT,
    TEN_DAYS,
    Person,
    fingerprint,
    make_access_token,
    stable_uuid,
)

PAID_PLANS = {"go", "plus", "pro", "prolite", "pro_lite", "team", "business", "enterprise", "edu"}
TEAM_PLANS = {"team", "business", "enterprise", "edu"}


@dataclass(frozen=True, slots=True)
class Account:
    """One person upstream. The first workspace is used when none is named; `token` is the newest
    access token. `lifetime_seconds` is what the next tokens get, None: as configured."""

    name: str
    token: str
    plan: str
    workspaces: tuple[str, ...]
    expires_at: float
    user_id: str
    email: str
    client_id: str = OWN_CLIENT
    lifetime_seconds: float | None = None
    quota: Quota | None = None
    deactivated: tuple[str, ...] = ()  # workspaces

    @property
    def person(self) -> Person:
        return Person(self.name, self.plan, self.workspaces[0], self.email, self.client_id)

    @property
    def is_paid(self) -> bool:
        return self.plan in PAID_PLANS

    @property
    def persona(self) -> str:
        return "chatgpt-paid" if self.is_paid else "chatgpt-freeaccount"


def make_account(
    name: str,
    *,
    plan: str = "plus",
    workspaces: Sequence[str] = (),
    now: float,
    lifetime_seconds: float | None = None,
    first_seconds: float | None = None,
    client_id: str = OWN_CLIENT,
    quota: Quota | None = None,
    deactivated: bool | Sequence[str] = False,
) -> Account:
    """An account with a fresh token, which lives `first_seconds`; its ids follow from its name.
    `deactivated` are workspaces, or all."""
    ids = tuple(workspaces) or (stable_uuid(name, "personal"),)
    off = (ids if deactivated else ()) if isinstance(deactivated, bool) else tuple(deactivated)
    blank = Account(
        *(name, "", plan, ids, 0.0, f"user-{name}", f"{name}@example.com"),
        *(client_id, lifetime_seconds, quota, off),
    )
    seconds = (lifetime_seconds or TEN_DAYS) if first_seconds is None else first_seconds
    return with_fresh_token(blank, now, seconds)


def with_fresh_token(account: Account, now: float, lifetime_seconds: float) -> Account:
    """The account with one more access token."""
    token = make_access_token(account.person, now=now, lifetime_seconds=lifetime_seconds)
    return replace(account, token=token, expires_at=float(int(now + lifetime_seconds)))


def demo_accounts(now: float) -> tuple[Account, ...]:
    """Two accounts to start with: one paid with a second workspace, one free."""
    plus = (stable_uuid("demo-plus", "personal"), stable_uuid("demo-plus", "team"))
    return (
        make_account("demo-plus", plan="plus", workspaces=plus, now=now),
        make_account("demo-free", plan="free", now=now),
    )


@dataclass(slots=True)
class Session:
    """One access token of an account."""

    name: str
    expires_at: float
    revoked: bool = False
    client_id: str = OWN_CLIENT  # the program it was made for


@dataclass(slots=True)
class _Entry:
    account: Account
    sessions: dict[str, Session] = field(default_factory=dict)  # by token


class Accounts:
    """The accounts and their access tokens; grows through the control routes and by refreshes."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._sessions: dict[str, Session] = {}
        for account in accounts:
            self.add(account)

    def add(self, account: Account) -> None:
        """Adds an account, in place of an earlier one of the same name."""
        with self._lock:
            old = self._entries.pop(account.name, None)
            for token in old.sessions if old else ():
                del self._sessions[token]
            self._entries[account.name] = entry = _Entry(account)
            self._open(entry)

    def renew(
        self,
        name: str,
        now: float,
        lifetime_seconds: float,
        *,
        ends_older: bool,
        client_id: str | None = None,
    ) -> Account | None:
        """A new access token beside the older ones, or in their place, maybe for another program than
        the last; None for an unknown name."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return None
            if ends_older:
                self._revoke(entry)
            account = replace(entry.account, client_id=client_id or entry.account.client_id)
            entry.account = with_fresh_token(account, now, lifetime_seconds)
            self._open(entry)
            return entry.account

    def expire(self, name: str, now: float) -> None:
        """Ends the life of all access tokens of an account now, whatever they say themselves."""
        with self._lock:
            entry = self._entries[name]
            for session in entry.sessions.values():
                session.expires_at = min(session.expires_at, now)
            entry.account = replace(entry.account, expires_at=min(entry.account.expires_at, now))

    def revoke(self, name: str) -> None:
        with self._lock:
            self._revoke(self._entries[name])

    def find(self, token: str) -> Account | None:
        session = self._sessions.get(token)
        return None if session is None else self.named(session.name)

    def session(self, token: str) -> Session | None:
        """The state of an access token; None for a stranger's."""
        return self._sessions.get(token)

    def named(self, name: str) -> Account | None:
        entry = self._entries.get(name)
        return entry.account if entry else None

    def all(self) -> tuple[Account, ...]:
        with self._lock:
            return tuple(entry.account for entry in self._entries.values())

    def label(self, token: str) -> str:
        """How a bearer is written down: the account's name, or a short hash of the stranger."""
        account = self.find(token)
        return f"unknown:{fingerprint(token)}" if account is None else account.name

    def _open(self, entry: _Entry) -> None:
        account = entry.account
        session = Session(account.name, account.expires_at, client_id=account.client_id)
        self._sessions[account.token] = entry.sessions[account.token] = session

    def _revoke(self, entry: _Entry) -> None:
        for session in entry.sessions.values():
            session.revoked = True
