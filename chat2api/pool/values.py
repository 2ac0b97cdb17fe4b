"""Accounts and what happens to them, as values. Pure.

Times are epoch seconds unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chat2api.errors import Blame
from chat2api.secret import Secret

AccountState = Literal["active", "cooling", "limited", "needs_login", "disabled"]
AccountKind = Literal["web", "codex"]


@dataclass(frozen=True, slots=True)
class Look:
    """How an account wishes to appear upstream; empty fields leave it to the provider."""

    user_agent: str = ""
    device_id: str = ""

    @property
    def is_plain(self) -> bool:
        return not (self.user_agent or self.device_id)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a provider needs to act for an account. `workspace_id` is the team account id, if any.

    `subject` names the account to ourselves (stable across token changes, not secret): device ids and
    cookies hang on it. No access token means the anonymous upstream, or one that is still to be fetched.
    """

    subject: str
    access_token: Secret | None
    workspace_id: str | None = None
    look: Look = Look()

    @property
    def is_anonymous(self) -> bool:
        return self.access_token is None


@dataclass(frozen=True, slots=True)
class Renewal:
    """How an account's access token is renewed. `version` grows with every stored renewal.

    `expires_at` is the access token's end, None when it does not tell. `has_token` is False while only
    a refresh token is known.
    """

    credential_id: str
    version: int
    renewable: bool
    expires_at: float | None = None
    has_token: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """One entry of the pool. `account_id` is ours: opaque, and safe to show and to log."""

    account_id: str
    provider: str
    credential: Credential
    proxy: Secret | None = None
    renewal: Renewal | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What a request asks of the pool.

    `model` is the key under which the provider counts limits of this request. `excluded` are account
    ids that already failed in this request; `only` pins the request to one account (a conversation it
    continues).
    """

    provider: str
    model: str
    excluded: frozenset[str] = frozenset()
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use an account for one request. `reason`: what spoke against the account before."""

    lease_id: str
    account: Account
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a leased turn went. `retry_after` in seconds, as the upstream said it.

    `per_model`: the limit is on `model` (a `Need.model`) and not on the whole account.
    """

    blame: Blame | None
    model: str
    retry_after: float | None = None
    per_model: bool = False
    reason: str = ""

    @property
    def succeeded(self) -> bool:
        return self.blame is None


# --- tokens and their renewal


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token endpoint gave. None where it said nothing: the old value stays."""

    access_token: Secret | None
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential as the store holds it, for whoever renews it.

    `previous_refresh_token` is the one before the current; kept until the current one has worked.
    `client_id` is the OAuth client the refresh token was issued to, empty when unknown.
    """

    credential_id: str
    version: int
    access_token: Secret | None
    refresh_token: Secret | None
    previous_refresh_token: Secret | None = None
    id_token: Secret | None = None
    expires_at: float | None = None
    client_id: str = ""
    proxy: Secret | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class RenewalClaim:
    """The sole right to renew a credential until `until`. `fence` grows with every claim.

    `after_crash`: an earlier holder sent its request and never told how it went.
    """

    stored: StoredCredential
    fence: int
    until: float
    after_crash: bool = False


# --- accounts coming in


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account as somebody hands it in; at least one of the first two tokens is there.

    `refused` tells that an earlier program found it dead (and why). `pooled` False keeps it for seeds.
    `refreshed_at` is when its tokens were last renewed, if the source tells.
    """

    access_token: Secret | None = None
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    workspace_id: str | None = None
    email: str = ""
    plan: str = ""
    kind: AccountKind = "web"
    client_id: str = ""
    proxy: Secret | None = None
    look: Look = Look()
    note: str = ""
    pooled: bool = True
    refused: str = ""
    refreshed_at: float | None = None


AddVerdict = Literal["added", "updated", "unchanged", "revived"]


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one `NewAccount`. "revived": it had been removed before."""

    verdict: AddVerdict
    account_id: str


@dataclass(frozen=True, slots=True)
class QuotaWindow:
    """What is left of something that comes back: `used_percent` or `remaining`, as the upstream says it.

    `resets_at` in epoch seconds.
    """

    name: str
    used_percent: float | None = None
    remaining: int | None = None
    resets_at: float | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What the upstream said last about an account, beside its limits. `ends_at`: of the subscription."""

    windows: tuple[QuotaWindow, ...] = ()
    workspaces: tuple[str, ...] = ()
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as people look at it: no token in it but masked ones."""

    account_id: str
    provider: str
    kind: AccountKind
    state: AccountState
    label: str
    plan: str
    workspace_id: str | None
    source: str
    masked_token: str
    renewable: bool
    expires_at: float | None
    until: float | None
    reason: str
    reason_at: float | None
    model_limits: Mapping[str, float] = field(default_factory=dict)
    proxy_masked: str = ""
    note: str = ""
    running: int = 0
    last_used_at: float | None = None
    refreshed_at: float | None = None
    removed_at: float | None = None
    pooled: bool = True  # else it serves the seeds bound to it, and nobody else
    position: int = 0
    created_at: float = 0.0
    resting_until: float = 0.0  # after a hiccup: others come first
    rested_until: float = 0.0  # when its last rest ends, or ended
    has_refresh_token: bool = False
    renewing: bool = False
    refused_at: float | None = None  # since when its refresh token is known to be of no use
    checked_at: float | None = None
    quota: Quota = Quota()
    concurrency: int | None = None  # None: as the settings say
    revision: int = 0  # grows with every change of what people set


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """`usable`: could serve some model now. `failed`: need a login or were refused."""

    total: int
    usable: int
    cooling: int
    failed: int
    paused: int
