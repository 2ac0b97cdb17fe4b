"""One turn for one caller: which account, how often, within which limits. The only retry loop."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import assert_never

from chat2api.chat.conversation import Conversation
from chat2api.chat.cut import Cutter
from chat2api.chat.events import EventStream, Failure, Finish, Thread
from chat2api.errors import (
    Blame,
    Chat2ApiError,
    InternalError,
    NoAccountAvailable,
    PoolError,
    RequestError,
    Unauthorized,
    UpstreamAuthFailed,
    UpstreamLoginRequired,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Credential, Lease, Need, Outcome
from chat2api.providers.protocol import Io, Provider
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, PoolKey, Principal, login_required_for
from chat2api.service.conversations import ThreadBook
from chat2api.service.egress import Egress
from chat2api.service.retry import (
    Attempt,
    Route,
    attempts_allowed,
    final_error,
    goes_on,
    needs_pause,
    pause_seconds,
)
from chat2api.service.seats import OpenSeats
from chat2api.service.usage import UsageCounter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """`request_seconds` bounds a whole request; the slow figure holds for reasoning turns."""

    retry_times: int
    history_disabled: bool
    request_seconds: float
    slow_request_seconds: float
    allow_anonymous: bool
    direct_concurrency: int = 0


@dataclass(frozen=True, slots=True)
class _Seat:
    """What one attempt runs with: a credential, and the lease behind it when it came from the pool."""

    credential: Credential
    proxy: Secret | None
    lease: Lease | None = None


class Completions:
    """Made once per worker; every method may be called from many threads at once."""

    def __init__(
        self,
        provider: Provider,
        pool: AccountPool,
        egress: Egress,
        usage: UsageCounter,
        threads: ThreadBook,
        limits: TurnLimits,
    ) -> None:
        self._provider = provider
        self._pool = pool
        self._egress = egress
        self._usage = usage
        self._threads = threads
        self._limits = limits
        self._open_seats = OpenSeats(limits.direct_concurrency)

    def extend_deadline(self, conversation: Conversation, call: Call) -> None:
        """Give a turn of a slow model the longer limit."""
        if self._provider.is_slow(conversation):
            call.deadline += self._limits.slow_request_seconds - self._limits.request_seconds

    def events(
        self, conversation: Conversation, principal: Principal, call: Call, *, count_usage: bool
    ) -> EventStream:
        """The turn's events, ending with `Finish` or `Failure`. Closing it ends the upstream's turn."""
        conversation = self._settled(conversation, principal)
        try:
            turn = self._attempts(conversation, principal, call)
            with closing(turn):
                if count_usage:
                    yield from self._usage.added(turn, conversation, call)
                else:
                    yield from turn
        except Chat2ApiError as error:
            log.info("turn failed: %s", _for_the_log(error))
            yield Failure(error.info)
        except Exception:  # the boundary of a turn: whatever it was, the caller gets an answer
            log.exception("turn failed unexpectedly")
            yield Failure(
                InternalError("Internal error; the log has it under this request id.").info
            )

    def _settled(self, conversation: Conversation, principal: Principal) -> Conversation:
        """The conversation with the server's choices filled in where the caller left them open."""
        keep = conversation.keep_history
        if keep is None:
            keep = not self._limits.history_disabled or conversation.reply_to is not None
        if isinstance(principal, Anonymous):
            keep = False
        workspace = conversation.workspace_id
        if workspace is None and isinstance(principal, PoolKey):
            workspace = principal.workspace_id
        return replace(conversation, keep_history=keep, workspace_id=workspace)

    def _attempts(
        self, conversation: Conversation, principal: Principal, call: Call
    ) -> EventStream:
        route = self._route(principal)
        most = attempts_allowed(route, self._limits.retry_times)
        reply_to = conversation.reply_to
        unplaced = reply_to is not None and self._threads.account_of(reply_to) is None
        tried: set[str] = set()
        last: Chat2ApiError | None = None
        for number in range(1, most + 1):
            told = False
            try:
                with self._seat(conversation, principal, route, tried, call) as seat:
                    if seat.lease is not None:
                        tried.add(seat.lease.account.account_id)
                    with closing(self._attempt(conversation, seat, call)) as events:
                        for event in events:
                            told = True
                            yield event
                    return
            except PoolError as error:
                if last is None:
                    raise
                raise final_error(last, error) from None
            except Chat2ApiError as error:
                call.check()
                keeps = bool(conversation.keep_history)
                attempt = Attempt(number, most, route, told, keeps, unplaced)
                if not goes_on(error, attempt):
                    raise self._as_told(error, principal, conversation, attempt) from error
                log.info("attempt %d of %d failed: %s", number, most, _for_the_log(error))
                last = error
                if route == "pool":
                    self._refuse_if_nobody_is_left(error, conversation, tried)
                if needs_pause(error):
                    call.pause(pause_seconds(number, random.random()))

    def _refuse_if_nobody_is_left(
        self, last: Chat2ApiError, conversation: Conversation, tried: set[str]
    ) -> None:
        only = self._threads.account_of(conversation.reply_to)
        need = Need(self._provider.name, conversation.model, frozenset(tried), only)
        refusal = self._pool.refusal(need)
        if refusal is not None:
            raise final_error(last, refusal) from last

    def _attempt(self, conversation: Conversation, seat: _Seat, call: Call) -> EventStream:
        """One try on one seat, with the outcome reported."""
        io = Io(self._egress.transport, self._egress.compute, call, seat.proxy)
        cutter = Cutter(conversation.limits, self._usage.count, self._usage.prefix_within)
        finished = False
        try:
            with closing(self._provider.stream(conversation, seat.credential, io)) as upstream:
                for event in cutter.cut(upstream):
                    if isinstance(event, Thread) and seat.lease is not None:
                        self._threads.note(event.conversation_id, seat.lease.account.account_id)
                    finished = finished or isinstance(event, Finish)
                    yield event
            if not finished:  # the law of streams, whoever wrote the provider
                raise UpstreamTruncated("The upstream stopped without ending its answer.")
            self._report(seat, conversation, None)
        except Chat2ApiError as error:
            if call.error is None:
                self._report(seat, conversation, error)
            raise

    def _report(self, seat: _Seat, conversation: Conversation, error: Chat2ApiError | None) -> None:
        if seat.lease is None:
            return
        if error is None:
            outcome = Outcome(None, conversation.model)
        else:
            per_model = bool(getattr(error, "per_model", False))
            outcome = Outcome(
                _blame(error, conversation),
                conversation.model,
                error.retry_after,
                per_model,
                error.code or "",
            )
        self._pool.report(seat.lease, outcome)

    # --- seats

    def _route(self, principal: Principal) -> Route:
        match principal:
            case Direct():
                return "direct"
            case Anonymous():
                return "anonymous"
            case PoolKey():
                # Decision 2: a keyed request with an empty pool may go to the anonymous upstream.
                anonymous = self._limits.allow_anonymous and self._pool.is_empty()
                return "anonymous" if anonymous else "pool"
            case _:
                assert_never(principal)

    @contextmanager
    def _seat(
        self,
        conversation: Conversation,
        principal: Principal,
        route: Route,
        tried: set[str],
        call: Call,
    ) -> Iterator[_Seat]:
        if route != "pool":
            credential = (
                principal.credential
                if isinstance(principal, Direct)
                else Credential("anonymous", None)
            )
            with self._open_seats.taken():
                yield _Seat(credential, self._egress.proxy_for(credential))
            return
        only = self._threads.account_of(conversation.reply_to)
        need = Need(self._provider.name, conversation.model, frozenset(tried), only)
        with self._pool.lease(need, call) as lease:
            account = lease.account
            proxy = account.proxy or self._egress.proxy_for(account.credential)
            yield _Seat(account.credential, proxy, lease)

    def _as_told(
        self,
        error: Chat2ApiError,
        principal: Principal,
        conversation: Conversation,
        attempt: Attempt,
    ) -> Chat2ApiError:
        """The same failure, as it concerns this caller."""
        if isinstance(error, UpstreamRateLimited) and attempt.route == "pool" and not attempt.told:
            # Attempts ran out; if nobody else is left either, the pool knows when that ends.
            refusal = self._pool.refusal(Need(self._provider.name, conversation.model))
            return error if refusal is None else final_error(error, refusal)
        if isinstance(error, UpstreamAuthFailed):
            if isinstance(principal, Direct):
                return Unauthorized("The upstream refused this access token.")
            return NoAccountAvailable("No account can be used: its credential was refused.")
        if isinstance(error, UpstreamLoginRequired):
            return login_required_for(principal, error.message) or error
        return error


def _blame(error: Chat2ApiError, conversation: Conversation) -> Blame:
    """What the failure says about the account. Where the caller chose the workspace, the choice may be
    what was refused: no caller can put accounts out of the others' reach."""
    if conversation.workspace_id is not None and error.blame in (Blame.EGRESS, Blame.NEEDS_LOGIN):
        return Blame.TRANSIENT
    return error.blame


def _for_the_log(error: Chat2ApiError) -> str:
    """Where the request is at fault its refusal may quote it, and prompts stay out of logs."""
    return str(error.code) if isinstance(error, RequestError) else f"{error.code} ({error.message})"
