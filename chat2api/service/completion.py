"""One turn for one caller: who may answer it, in which order, and what is done for upstreams that cannot."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream, Failure, Usage
from chat2api.errors import Chat2ApiError, ClientGone, InternalError, RequestError
from chat2api.lifetime.call import Call
from chat2api.service.access import Anonymous, PoolKey, Principal
from chat2api.service.emulation import Emulator
from chat2api.service.model_names import ModelNames
from chat2api.service.retry import falls_through, for_the_log
from chat2api.service.routing import Candidate, Router
from chat2api.service.tracing import Tracer, TurnTrace
from chat2api.service.usage import UsageCounter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """`request_seconds` bounds a whole request; the slow figure holds for reasoning turns."""

    history_disabled: bool
    request_seconds: float
    slow_request_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A turn about to be asked, and who may answer it: the first choice first, never empty."""

    conversation: Conversation
    candidates: tuple[Candidate, ...]

    @property
    def first(self) -> Candidate:
        return self.candidates[0]

    @property
    def ignored(self) -> tuple[str, ...]:
        """Parameters, and tools of an upstream's own, that the first choice has no use for."""
        able = self.first.backend.provider.capabilities
        knobs = () if able.sampling else self.conversation.sampling.given
        # A model that is told of tools in words mixes them up with its own: those are left out then.
        told = bool(self.conversation.tools) and not able.native_tools
        unused = (
            f"tools.{one.kind}"
            for one in self.conversation.builtins
            if told or one.kind not in able.builtins
        )
        return (*knobs, *unused)


class Completions:
    """Made once per worker; every method may be called from many threads at once."""

    def __init__(
        self, router: Router, emulator: Emulator, usage: UsageCounter, limits: TurnLimits
    ) -> None:
        self._router = router
        self._emulator = emulator
        self._usage = usage
        self._limits = limits

    @property
    def names(self) -> ModelNames:
        """What models other makers' names stand for."""
        return self._router.names

    def limit_key(self, conversation: Conversation) -> str:
        """What the upstream of our accounts knows the model by."""
        meant = self.names.meaning(conversation.model)
        return self._router.pool.provider.limit_key(replace(conversation, model=meant))

    def recorded_usage(self, tracer: Tracer, conversation: Conversation) -> Usage:
        """Tokens of a request for its record; `estimated` where a part of them is guessed."""
        return self._usage.recorded(tracer, conversation)

    def prompt_tokens(self, conversation: Conversation, call: Call) -> int:
        """Tokens of everything that is asked."""
        return self._usage.prompt_tokens(conversation, call)

    def plan(self, conversation: Conversation, principal: Principal, call: Call) -> Plan:
        """Who may answer. A turn of a slow model gets the longer limit. Raises UnknownModel."""
        settled = self._settled(conversation, principal)
        plan = Plan(settled, self._router.candidates(settled, principal, call))
        if plan.first.backend.provider.is_slow(replace(settled, model=plan.first.model)):
            call.deadline += self._limits.slow_request_seconds - self._limits.request_seconds
        return plan

    def events(
        self,
        plan: Plan,
        principal: Principal,
        call: Call,
        *,
        count_usage: bool,
        tracer: Tracer | None = None,
    ) -> EventStream:
        """The turn's events, ending with `Finish` or `Failure`. Closing it ends the upstream's turn.

        `tracer` hears of what happens; all choices of a request may share one.
        """
        trace = (tracer or Tracer()).turn()
        try:
            turn = self._answered(plan, principal, call, trace)
            with closing(turn):
                if count_usage:
                    yield from self._usage.added(turn, plan.conversation, call, trace.used)
                else:
                    yield from turn
        except Chat2ApiError as error:
            log.info("turn failed: %s", for_the_log(error))
            yield self._failure(error, trace)
        except Exception:  # the boundary of a turn: whatever it was, the caller gets an answer
            log.exception("turn failed unexpectedly")
            yield self._failure(
                InternalError("Internal error; the log has it under this request id."), trace
            )

    def _failure(self, error: Chat2ApiError, trace: TurnTrace) -> Failure:
        trace.error = error
        if not isinstance(error, RequestError | ClientGone):
            self._router.pool.count_candidates(trace)
        return Failure(error.info)

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

    def _answered(
        self, plan: Plan, principal: Principal, call: Call, trace: TurnTrace
    ) -> EventStream:
        """By the first candidate that can; another is asked while nothing was told."""
        *others, last = plan.candidates
        for candidate in others:
            told = False
            try:
                with closing(self._by(candidate, plan, principal, call, trace)) as events:
                    for event in events:
                        told = True
                        yield event
                return
            except Chat2ApiError as error:
                call.check()
                keeps = bool(plan.conversation.keep_history)
                if not falls_through(error, told=told, keeps_history=keeps):
                    raise
                log.info("asking the next upstream: %s", for_the_log(error))
        yield from self._by(last, plan, principal, call, trace)

    def _by(
        self, candidate: Candidate, plan: Plan, principal: Principal, call: Call, trace: TurnTrace
    ) -> EventStream:
        backend = candidate.backend
        conversation = replace(plan.conversation, model=candidate.model)

        def ask(asked: Conversation) -> EventStream:
            return backend.events(asked, principal, call, trace)

        capabilities = backend.provider.capabilities
        return self._emulator.events(conversation, capabilities, ask, call, trace.noted)
