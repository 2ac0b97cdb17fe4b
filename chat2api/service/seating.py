"""What an attempt runs on: an account of the pool, a caller's own token, or nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from chat2api.chat.conversation import ReplyTo
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Account, Credential, Lease, Need
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey, Principal
from chat2api.service.egress import Egress
from chat2api.service.fresh import FreshTokens
from chat2api.service.retry import Route
from chat2api.service.seats import OpenSeats
from chat2api.service.tracing import AttemptTrace, Tracer


class Conversations(Protocol):
    """Which account holds a conversation."""

    def note(self, conversation_id: str, account_id: str) -> None: ...

    def account_of(self, conversation_id: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A credential and its way out, and the lease behind it when it came from the pool."""

    account: Account
    proxy: Secret | None
    lease: Lease | None = None

    @property
    def credential(self) -> Credential:
        return self.account.credential


class Seating:
    """Made once per worker."""

    def __init__(
        self,
        pool: AccountPool,
        egress: Egress,
        tokens: FreshTokens,
        conversations: Conversations,
        *,
        allow_anonymous: bool,
        direct_concurrency: int,
    ) -> None:
        self._pool = pool
        self._egress = egress
        self._tokens = tokens
        self._conversations = conversations
        self._allow_anonymous = allow_anonymous
        self._open_seats = OpenSeats(direct_concurrency)

    def route(self, principal: Principal) -> Route:
        match principal:
            case Direct() | DirectRefresh():
                return "direct"
            case Anonymous():
                return "anonymous"
            case PoolKey():
                # Decision 2: a keyed request with an empty pool may go to the anonymous upstream.
                anonymous = self._allow_anonymous and self._pool.is_empty()
                return "anonymous" if anonymous else "pool"
            case _:
                assert_never(principal)

    def home(self, reply_to: ReplyTo | None) -> str | None:
        """The account that holds the conversation which is to go on."""
        return (
            None if reply_to is None else self._conversations.account_of(reply_to.conversation_id)
        )

    def note_home(self, conversation_id: str, seat: Seat) -> None:
        if seat.lease is not None:
            self._conversations.note(conversation_id, seat.account.account_id)

    @contextmanager
    def taken(
        self,
        need: Need,
        principal: Principal,
        route: Route,
        tried: set[str],
        call: Call,
        trace: AttemptTrace | None = None,
    ) -> Iterator[Seat]:
        """Hold a seat inside the block. An account of the pool is added to `tried`.

        Raises PoolError, Overloaded, UpstreamAuthFailed, UpstreamRenewalFailed, Unauthorized.
        """
        trace = trace or Tracer().turn().attempt()
        if route != "pool":
            with self._open_seats.taken():
                trace.seated()
                yield self._seat(self._brought(principal, call))
            return
        with self._pool.lease(replace(need, excluded=frozenset(tried)), call) as lease:
            tried.add(lease.account.account_id)
            trace.seated(lease.account.account_id)
            account = self._tokens.of(lease.account, call)
            trace.renewed = account is not lease.account
            yield self._seat(account, lease)

    def again(self, seat: Seat, call: Call) -> Seat | None:
        """The same seat with a new access token, after the old one was refused; None when there is none."""
        account = self._tokens.again(seat.account, call)
        return None if account is None else replace(seat, account=account)

    def _brought(self, principal: Principal, call: Call) -> Account:
        match principal:
            case Direct(credential):
                return Account(credential.subject, "", credential)
            case DirectRefresh(token, workspace_id):
                return self._tokens.of_bearer(token, workspace_id, call)
            case Anonymous() | PoolKey():
                return Account("anonymous", "", Credential("anonymous", None))
            case _:
                assert_never(principal)

    def _seat(self, account: Account, lease: Lease | None = None) -> Seat:
        proxy = self._egress.proxy_for(account.credential, account.proxy)
        return Seat(account, proxy, lease)
