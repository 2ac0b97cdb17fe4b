"""Refresh tokens: which is the newest of each login, which are spent, and a ledger of all exchanges."""

from __future__ import annotations

import itertools
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal

from chat2api.simulator.config import Config, Rotation
from chat2api.simulator.documents import Json
from chat2api.simulator.tokens import Kind, fingerprint, make_refresh_token

Good = Literal["rotated", "kept"]
Bad = Literal["reused", "expired", "revoked", "unknown", "wrong_client", "malformed"]
# `fault`: one was played, and the token was not looked at.
Outcome = Good | Bad | Literal["fault"]
_KEPT = 50_000


@dataclass(slots=True)
class Grant:
    """One login of an account: a chain of refresh tokens, of which only the newest is good."""

    account: str
    kind: Kind
    client_id: str
    newest: str
    expires_at: float = math.inf
    revoked: bool = False
    refreshes: int = 0
    reused: int = 0
    tokens: list[str] = field(default_factory=list)  # all there ever were


@dataclass(frozen=True, slots=True)
class Traded:
    """What came of presenting a token. `token` is the one to hand out, None when nothing new is."""

    outcome: Outcome
    grant: Grant | None = None
    token: str | None = None


@dataclass(slots=True)
class Entry:
    """A line of the ledger. `token` is the short hash of what was presented, `successor` of what was
    made for it; `delivered` stays None while the answer is under way."""

    id: int
    at: float
    account: str | None
    token: str
    client_id: str
    outcome: Outcome
    successor: str | None = None
    delivered: bool | None = None


class Grants:
    """All logins. An exchange is one step: whoever comes second has come too late."""

    def __init__(self, config: Callable[[], Config], clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._by_account: dict[str, Grant] = {}
        self._by_token: dict[str, Grant] = {}
        self._spent_at: dict[str, float] = {}
        self._ids = itertools.count(1)
        self._ledger: deque[Entry] = deque(maxlen=_KEPT)

    def issue(self, account: str, kind: Kind, client_id: str) -> Grant:
        """A new login; an earlier one of the account is forgotten."""
        token = make_refresh_token(kind)
        grant = Grant(account, kind, client_id, token, self._expiry(), tokens=[token])
        self.drop(account)
        with self._lock:
            self._by_account[account] = self._by_token[token] = grant
        return grant

    def drop(self, account: str) -> None:
        """Forgets a login: its tokens become unknown."""
        with self._lock:
            old = self._by_account.pop(account, None)
            for token in old.tokens if old else ():
                del self._by_token[token]
                self._spent_at.pop(token, None)

    def find(self, account: str) -> Grant | None:
        return self._by_account.get(account)

    def owner(self, token: str) -> str | None:
        """The account a token belongs or belonged to."""
        grant = self._by_token.get(token)
        return grant.account if grant else None

    def exchange(self, token: str, client_id: str, rotation: Rotation | None = None) -> Traded:
        """Presents a token. `rotation` is for this one time; None: as configured for its kind."""
        with self._lock:
            grant = self._by_token.get(token)
            if grant is None:
                return Traded("unknown")
            if grant.client_id != client_id:
                return Traded("wrong_client", grant)
            if not self._is_honoured(token):
                return self._reused(grant)
            if grant.revoked:
                return Traded("revoked", grant)
            if grant.expires_at <= self._clock():
                return Traded("expired", grant)
            return self._renewed(grant, rotation or self._rotation(grant.kind))

    def expire(self, account: str) -> None:
        """Ends the life of the account's refresh token now."""
        grant = self._by_account.get(account)
        if grant is not None:
            grant.expires_at = self._clock()

    def revoke(self, account: str) -> None:
        grant = self._by_account.get(account)
        if grant is not None:
            grant.revoked = True

    # --- the ledger

    def note(self, outcome: Outcome, *, token: str, client_id: str, successor: str | None) -> Entry:
        """Writes an exchange down; who delivers the answer completes the entry."""
        shown = fingerprint(successor) if successor else None
        with self._lock:
            grant = self._by_token.get(token)
            account = grant.account if grant else None
            entry = Entry(
                *(next(self._ids), self._clock(), account, fingerprint(token), client_id),
                *(outcome, shown),
            )
            self._ledger.append(entry)
        return entry

    def ledger(self, *, account: str | None = None, since: int = 0) -> list[Json]:
        """The entries after id `since`, oldest first."""
        with self._lock:
            kept = list(self._ledger)
        return [asdict(one) for one in kept if one.id > since and account in (None, one.account)]

    def clear(self) -> None:
        """Forgets the ledger and the counts; tokens stay what they are."""
        with self._lock:
            self._ledger.clear()
            for grant in self._by_account.values():
                grant.refreshes = grant.reused = 0

    # --- inside

    def _expiry(self) -> float:
        seconds = self._config().refresh_seconds
        return self._clock() + seconds if seconds else math.inf

    def _rotation(self, kind: Kind) -> Rotation:
        config = self._config()
        return config.legacy_rotation if kind == "legacy" else config.rotation

    def _is_honoured(self, token: str) -> bool:
        spent_at = self._spent_at.get(token)
        if spent_at is None:
            return True
        # At 0 seconds even the same instant is too late.
        return self._clock() - spent_at < self._config().refresh_overlap_seconds

    def _reused(self, grant: Grant) -> Traded:
        grant.reused += 1
        if self._config().reuse_kills_family:
            grant.revoked = True
        return Traded("reused", grant)

    def _renewed(self, grant: Grant, rotation: Rotation) -> Traded:
        grant.refreshes += 1
        if rotation == "keep":
            return Traded("kept", grant)
        self._spent_at[grant.newest] = self._clock()
        grant.newest = make_refresh_token(grant.kind)
        grant.expires_at = self._expiry()
        grant.tokens.append(grant.newest)
        self._by_token[grant.newest] = grant
        return Traded("rotated", grant, grant.newest)
