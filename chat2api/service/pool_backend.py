"""One turn on one upstream with accounts: which account, how often. The only loop over accounts."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from chat2api.chat.conversation import Conversation
from chat2api.chat.cut import Cutter
from chat2api.chat.events import EventStream, Finish, Thread
from chat2api.errors import (
    Blame,
    Chat2ApiError,
    NoAccountAvailable,
    PoolError,
    Unauthorized,
    UpstreamAuthFailed,
    UpstreamLoginRequired,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Need, Outcome
from chat2api.providers.protocol import Io, Provider
from chat2api.service.access import Direct, DirectRefresh, Principal, login_required_for
from chat2api.service.egress import Egress
from chat2api.service.retry import (
    Attempt,
    attempts_allowed,
    final_error,
    for_the_log,
    goes_on,
    needs_pause,
    pause_seconds,
)
from chat2api.service.seating import Seat, Seating
from chat2api.service.tracing import AttemptTrace, TurnTrace
from chat2api.service.usage import UsageCounter
from chat2api.store.request_records import Candidates

log = logging.getLogger(__name__)


class PoolBackend:
    """Made once per worker; every method may be called from many threads at once."""

    def __init__(
        self,
        provider: Provider,
        pool: AccountPool,
        egress: Egress,
        usage: UsageCounter,
        seating: Seating,
        retry_times: int,
        census: Callable[[Need], Candidates | None] = lambda need: None,
    ) -> None:
        """`census` counts the accounts that a need could choose from; asked only after a failure."""
        self.provider = provider
        self._pool = pool
        self._egress = egress
        self._usage = usage
        self._seating = seating
        self._retry_times = retry_times
        self._census = census

    def is_empty(self) -> bool:
        """Whether there is no account at all."""
        return self._pool.is_empty()

    def has_nobody_for(self, principal: Principal) -> bool:
        """Whether no account can ever answer, and nobody's either."""
        return self._seating.route(principal) == "pool" and self._pool.is_empty()

    def count_candidates(self, trace: TurnTrace) -> None:
        """Note whom a failed turn could have chosen from."""
        if trace.route == "pool" and trace.need is not None:
            excluded = frozenset(trace.tried) | trace.seats
            trace.candidates = self._census(replace(trace.need, excluded=excluded))

    def events(
        self, conversation: Conversation, principal: Principal, call: Call, trace: TurnTrace
    ) -> EventStream:
        """The turn's events, ending with `Finish`. Raises Chat2ApiError. Closing it ends the turn."""
        route = self._seating.route(principal)
        most = attempts_allowed(route, self._retry_times)
        home = self._seating.home(conversation.reply_to)
        unplaced = conversation.reply_to is not None and home is None
        need = Need(self.provider.name, self.provider.limit_key(conversation), only=home)
        tried: set[str] = set()
        last: Chat2ApiError | None = None
        trace.begins(route, need, tried)
        for number in range(1, most + 1):
            told = False
            this = trace.attempt()
            try:
                with self._seating.taken(need, principal, route, tried, call, this) as seat:
                    with closing(self._attempt(conversation, need, seat, call, this)) as events:
                        for event in events:
                            told = True
                            this.heard(event)
                            yield event
                    this.ended(None)
                if number > 1:
                    self.count_candidates(trace)
                return
            except GeneratorExit:
                if call.error is None:  # read as far as it was wanted, which is no failure
                    this.ended(None)
                raise
            except PoolError as error:
                if last is None:
                    raise
                raise final_error(last, error) from None
            except Chat2ApiError as error:
                this.ended(error)
                call.check()
                keeps = bool(conversation.keep_history)
                attempt = Attempt(number, most, route, told, keeps, unplaced)
                if not goes_on(error, attempt):
                    raise self._as_told(error, principal, need, attempt) from error
                log.info("attempt %d of %d failed: %s", number, most, for_the_log(error))
                last = error
                if route == "pool":
                    self._refuse_if_nobody_is_left(error, need, tried)
                if needs_pause(error):
                    call.pause(pause_seconds(number, random.random()))

    def _refuse_if_nobody_is_left(self, last: Chat2ApiError, need: Need, tried: set[str]) -> None:
        refusal = self._pool.refusal(replace(need, excluded=frozenset(tried)))
        if refusal is not None:
            raise final_error(last, refusal) from last

    def _attempt(
        self, conversation: Conversation, need: Need, seat: Seat, call: Call, trace: AttemptTrace
    ) -> EventStream:
        """One try on one seat, with the outcome reported."""
        try:
            with closing(self._renewing(conversation, seat, call, trace)) as events:
                yield from events
            self._report(seat, conversation, need, None, trace)
        except GeneratorExit:
            if call.error is None:
                self._report(seat, conversation, need, None, trace)
            raise
        except Chat2ApiError as error:
            if call.error is None:
                self._report(seat, conversation, need, error, trace)
            raise

    def _renewing(
        self, conversation: Conversation, seat: Seat, call: Call, trace: AttemptTrace
    ) -> EventStream:
        """The turn; an access token that is refused is renewed once within it (decision 17)."""
        told = False
        try:
            with closing(self._turn(conversation, seat, call, trace)) as events:
                for event in events:
                    told = True
                    yield event
            return
        except UpstreamAuthFailed:
            fresh = None if told or call.error is not None else self._seating.again(seat, call)
            if fresh is None:
                raise
            trace.renewed = True
        with closing(self._turn(conversation, fresh, call, trace)) as events:
            yield from events

    def _turn(
        self, conversation: Conversation, seat: Seat, call: Call, trace: AttemptTrace
    ) -> EventStream:
        io = Io(self._egress.transport, trace.timed(self._egress.compute), call, seat.proxy)
        cutter = Cutter(conversation.limits, self._usage.count, self._usage.prefix_within)
        finished = False
        with closing(self.provider.stream(conversation, seat.credential, io)) as upstream:
            for event in cutter.cut(upstream):
                if isinstance(event, Thread):
                    self._seating.note_home(event.conversation_id, seat)
                finished = finished or isinstance(event, Finish)
                yield event
        if not finished:  # the law of streams, whoever wrote the provider
            raise UpstreamTruncated("The upstream stopped without ending its answer.")

    def _report(
        self,
        seat: Seat,
        conversation: Conversation,
        need: Need,
        error: Chat2ApiError | None,
        trace: AttemptTrace,
    ) -> None:
        if seat.lease is None:
            return
        if error is None:
            outcome = Outcome(None, need.model)
        else:
            per_model = bool(getattr(error, "per_model", False))
            outcome = Outcome(
                _blame(error, conversation),
                need.model,
                error.retry_after,
                per_model,
                error.code or "",
            )
        self._pool.report(seat.lease, outcome)
        trace.taught(outcome)

    def _as_told(
        self, error: Chat2ApiError, principal: Principal, need: Need, attempt: Attempt
    ) -> Chat2ApiError:
        """The same failure, as it concerns this caller."""
        if isinstance(error, UpstreamRateLimited) and attempt.route == "pool" and not attempt.told:
            # Attempts ran out; if nobody else is left either, the pool knows when that ends.
            refusal = self._pool.refusal(replace(need, only=None))
            return error if refusal is None else final_error(error, refusal)
        if isinstance(error, UpstreamAuthFailed):
            if isinstance(principal, Direct | DirectRefresh):
                return Unauthorized("The upstream refused this token.")
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
