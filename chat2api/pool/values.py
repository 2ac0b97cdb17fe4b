"""Accounts and what happens to them, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chat2api.errors import Blame
from chat2api.secret import Secret

AccountState = Literal["active", "cooling", "limited", "needs_login", "disabled"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a provider needs to act for an account. `workspace_id` is the team account id, if any.

    `subject` names the account to ourselves (stable across token changes, not secret): device ids and
    cookies hang on it. None means the anonymous upstream.
    """

    subject: str
    access_token: Secret | None
    workspace_id: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.access_token is None


@dataclass(frozen=True, slots=True)
class Account:
    """One entry of the pool. `account_id` is ours: opaque, and safe to show and to log."""

    account_id: str
    provider: str
    credential: Credential
    proxy: Secret | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What a request asks of the pool.

    `excluded` are account ids that already failed in this request; `only` pins the request to one
    account (a conversation it continues).
    """

    provider: str
    model: str
    excluded: frozenset[str] = frozenset()
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use an account for one request."""

    lease_id: str
    account: Account


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a leased turn went. `retry_after` in seconds, as the upstream said it."""

    blame: Blame | None
    model: str
    retry_after: float | None = None
    per_model: bool = False
    reason: str = ""

    @property
    def succeeded(self) -> bool:
        return self.blame is None
