"""What happens to one request on its way, noted by those who do it, for whoever asks later why.

Noting costs a call an event and no lock; what it comes to is worked out after the last byte. No text is kept
but where the operator wants contents logged, and what is needed to count tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chat2api.chat.events import Event, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from chat2api.chat.tokens import EstimatingCounter
from chat2api.compute.protocol import Compute
from chat2api.errors import Blame, Chat2ApiError, ClientGone, ErrorInfo
from chat2api.lifetime.call import Call
from chat2api.pool.values import Need, Outcome
from chat2api.service.retry import Route
from chat2api.store.account_events import EventKind
from chat2api.store.request_records import AttemptRecord, Candidates, Trace

CONTENT_CHARACTERS = 20_000
EXACT_CHARACTERS = 500
"""Up to here tokens are counted for the record alone; longer texts are estimated, which costs nothing."""

CLIENT_GONE = "client_gone"
ASKED_AGAIN = "asked_again"
_EVENTS_AT_ONCE = 64
_TEXTS = (TextDelta, ReasoningDelta)
_PROOF_TASK = "search_proof"
_KINDS: dict[Blame, EventKind] = {
    Blame.LIMITED: "limited",
    Blame.EGRESS: "cooling",
    Blame.TRANSIENT: "rest",
    Blame.NEEDS_LOGIN: "needs_login",
}

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Happening:
    """What a turn taught about an account, so many seconds after the request's start."""

    account_id: str
    kind: EventKind
    after: float
    detail: dict[str, Any]


class Tracer:
    """One HTTP request; its choices are turns of their own. Read it when they have ended."""

    def __init__(self, clock: Clock = time.monotonic, *, keep_text: bool = False) -> None:
        self.clock = clock
        self.keeps_text = keep_text
        self.began = clock()
        self.turns: list[TurnTrace] = []
        self.happened: list[Happening] = []

    def turn(self) -> TurnTrace:
        turn = TurnTrace(self)
        self.turns.append(turn)
        return turn

    # --- reading

    @property
    def is_unfinished(self) -> bool:
        """Whether a turn has neither come to its end nor failed."""
        return any(not turn.is_over for turn in self.turns)

    @property
    def error(self) -> Chat2ApiError | None:
        """What a turn failed with at last."""
        return next((turn.error for turn in self.turns if turn.error is not None), None)

    @property
    def attempts(self) -> list[AttemptTrace]:
        """Of all turns, in the order in which they began."""
        if len(self.turns) == 1:
            return self.turns[0].attempts
        found = [attempt for turn in self.turns for attempt in turn.attempts]
        return sorted(found, key=lambda attempt: attempt.began)

    @property
    def account_id(self) -> str:
        """Of the attempt that counted: the last one."""
        attempts = self.attempts
        return attempts[-1].account_id if attempts else ""

    @property
    def provider(self) -> str:
        """The upstream that was asked last."""
        need = self._last_need
        return "" if need is None else need.provider

    @property
    def asked_for(self) -> str:
        """What that upstream knows the model by."""
        need = self._last_need
        return "" if need is None else need.model

    @property
    def _last_need(self) -> Need | None:
        return self.turns[-1].need if self.turns else None

    def digest(self) -> None:
        """Before reading, when turns may still run."""
        for turn in self.turns:
            turn.digest()

    @property
    def first_byte_seconds(self) -> float | None:
        firsts = [attempt.first for attempt in self.attempts if attempt.first is not None]
        return min(firsts) - self.began if firsts else None

    def trace(self, call_error: Chat2ApiError | None, order: str, told: ErrorInfo | None) -> Trace:
        """As it is kept. `call_error` ended what had not ended; `order` is how the pool chooses."""
        pinned = any(turn.pinned for turn in self.turns)
        chosen = any(attempt.account_id for attempt in self.attempts)
        counted = [turn.candidates for turn in self.turns if turn.candidates is not None]
        return Trace(
            attempts=tuple(
                attempt.record(number, self.began, call_error)
                for number, attempt in enumerate(self.attempts, 1)
            ),
            candidates=counted[0] if counted else None,
            waited=max([turn.waited for turn in self.turns], default=0.0),
            chosen_by="pinned" if pinned else order if chosen else "",
            notes=self._notes(),
            message="" if told is None else told_message(told),
            retry_after=None if told is None else told.retry_after,
        )

    def _notes(self) -> tuple[str, ...]:
        """What else whoever asks why should know."""
        notes = [f"choices={len(self.turns)}"] if len(self.turns) > 1 else []
        if any(turn.asked_again for turn in self.turns):
            notes.append(ASKED_AGAIN)
        return (*notes, *sorted({note for turn in self.turns for note in turn.notes}))


class TurnTrace:
    """One choice of a request."""

    __slots__ = (
        "_guessed",
        "_kept",
        "_kept_size",
        "_pending",
        "_size",
        "attempts",
        "candidates",
        "error",
        "is_guess",
        "need",
        "notes",
        "pinned",
        "route",
        "tracer",
        "tried",
        "usage",
        "waited",
    )

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.attempts: list[AttemptTrace] = []
        self.route: Route | None = None
        self.need: Need | None = None
        self.tried: set[str] = set()
        self.notes: tuple[str, ...] = ()
        self.pinned = False
        self.waited = 0.0
        self.error: Chat2ApiError | None = None
        self.candidates: Candidates | None = None
        self.usage: Usage | None = None
        self.is_guess = False
        self._guessed = 0
        self._pending: list[str] = []
        self._size = 0
        self._kept: list[str] = []
        self._kept_size = 0

    def begins(self, route: Route, need: Need, tried: set[str]) -> None:
        """`tried` is the asking's own set, which grows; a turn may ask more than once."""
        self.route, self.need, self.tried = route, need, tried
        self.pinned = need.only is not None

    def attempt(self) -> AttemptTrace:
        return AttemptTrace(self)

    def take(self, events: Sequence[Event]) -> None:
        """What was heard, in order."""
        texts: list[str] = []
        for event in events:
            if isinstance(event, _TEXTS):
                texts.append(event.text)
            elif isinstance(event, ToolCallDelta):
                texts.append((event.name or "") + event.arguments)
            elif isinstance(event, Usage):
                self.used(event)
        if texts:
            self._said("".join(texts))

    def _said(self, text: str) -> None:
        self._pending.append(text)
        self._size += len(text)
        if self._size > EXACT_CHARACTERS:
            self._guess()
        if self.tracer.keeps_text and self._kept_size < CONTENT_CHARACTERS:
            self._kept.append(text)
            self._kept_size += len(text)

    def noted(self, notes: tuple[str, ...]) -> None:
        """What the caller was told about the answer."""
        self.notes = notes

    @property
    def asked_again(self) -> bool:
        """Whether an answer came that was not what was asked for, and another was asked for."""
        answered = [one.ended_at is not None and one.error is None for one in self.attempts]
        return any(answered[:-1])

    @property
    def seats(self) -> frozenset[str]:
        """The accounts that were tried, in all askings."""
        return frozenset(one.account_id for one in self.attempts if one.account_id)

    def used(self, usage: Usage) -> None:
        """As the caller, or the upstream, has it counted."""
        self.usage = usage

    def digest(self) -> None:
        """Take in what an attempt that has not ended has heard."""
        for attempt in self.attempts:
            attempt.digest()

    def said_tokens(self, count: Callable[[str], int]) -> int:
        """Tokens of what was said; `is_guess` tells whether a part of them is estimated."""
        return self._guessed + (count("".join(self._pending)) if self._pending else 0)

    @property
    def is_over(self) -> bool:
        if self.error is not None:
            return True
        last = self.attempts[-1] if self.attempts else None
        return last is not None and last.ended_at is not None and last.error is None

    @property
    def said_anything(self) -> bool:
        return self._size > 0 or self._guessed > 0

    @property
    def kept_text(self) -> str:
        return "".join(self._kept)[:CONTENT_CHARACTERS]

    def _guess(self) -> None:
        """So that a long answer is not held in memory for its number of tokens."""
        self._guessed += EstimatingCounter().count("".join(self._pending))
        self._pending.clear()
        self._size = 0
        self.is_guess = True


class AttemptTrace:
    """One try. It counts as one once it has a seat."""

    __slots__ = (
        "_asked",
        "_clock",
        "_heard",
        "_turn",
        "account_id",
        "began",
        "ended_at",
        "error",
        "first",
        "proof_seconds",
        "provider",
        "renewed",
        "route",
    )

    def __init__(self, turn: TurnTrace) -> None:
        self._turn = turn
        self._clock = turn.tracer.clock
        self._asked = self.began = self._clock()
        self._heard: list[Event] = []
        self.account_id = ""
        self.first: float | None = None
        self.ended_at: float | None = None
        self.error: Chat2ApiError | None = None
        self.proof_seconds = 0.0
        self.renewed = False
        self.route = self.provider = ""

    def seated(self, account_id: str = "") -> None:
        """There is an account for it, after however long a wait; or it needs none."""
        self.account_id = account_id
        # Noted now: the turn may go on to another upstream.
        self.route = self._turn.route or ""
        self.provider = "" if self._turn.need is None else self._turn.need.provider
        self.began = self._clock()
        self._turn.waited += self.began - self._asked
        self._turn.attempts.append(self)

    def begun(self) -> None:
        """The answer begins, where it does not consist of events."""
        self.first = self._clock()

    def heard(self, event: Event) -> None:
        """Looked at later, several at once: this is the one thing done for every event."""
        heard = self._heard
        heard.append(event)
        if self.first is None:
            self.first = self._clock()
        if len(heard) >= _EVENTS_AT_ONCE:
            self.digest()

    def digest(self) -> None:
        """Have the turn take in what was heard."""
        heard, self._heard = self._heard, []
        self._turn.take(heard)

    def ended(self, error: Chat2ApiError | None) -> None:
        self.ended_at = self._clock()
        self.error = error
        self.digest()

    def taught(self, outcome: Outcome) -> None:
        """What the pool was told about the account."""
        kind = _KINDS.get(outcome.blame) if outcome.blame is not None else None
        if kind is None:
            return
        tracer = self._turn.tracer
        detail: dict[str, Any] = {"code": outcome.reason}
        if outcome.retry_after is not None:
            detail["seconds"] = round(outcome.retry_after)
        if outcome.per_model:
            detail["model"] = outcome.model
        after = self._clock() - tracer.began
        tracer.happened.append(Happening(self.account_id, kind, after, detail))

    def timed(self, compute: Compute) -> Compute:
        """The same, with the time that proofs of work take noted here."""
        return _Timed(compute, self)

    def record(self, number: int, start: float, call_error: Chat2ApiError | None) -> AttemptRecord:
        """`call_error` is what ended it if nothing else did."""
        unfinished = self.ended_at is None
        error = call_error if unfinished else self.error
        ended_at = self._clock() if self.ended_at is None else self.ended_at
        return AttemptRecord(
            number=number,
            route=self.route,
            account_id=self.account_id,
            code="" if error is None else code_of(error),
            status=200 if error is None else error.status,
            message="" if error is None else told_message(error.info),
            retry_after=None if error is None else error.retry_after,
            began=self.began - start,
            seconds=ended_at - self.began,
            first_byte=None if self.first is None else self.first - self.began,
            proof_seconds=self.proof_seconds,
            renewed=self.renewed,
            upstream_status=0 if error is None else error.upstream_status or 0,
            provider=self.provider if self.route == "entry" else "",
        )


class _Timed:
    """A `Compute` with a stopwatch for one task."""

    __slots__ = ("_attempt", "_compute")

    def __init__(self, compute: Compute, attempt: AttemptTrace) -> None:
        self._compute = compute
        self._attempt = attempt

    def run(self, task: str, *args: Any, call: Call, timeout_seconds: float) -> Any:
        began = self._attempt._clock()
        try:
            return self._compute.run(task, *args, call=call, timeout_seconds=timeout_seconds)
        finally:
            if task == _PROOF_TASK:
                self._attempt.proof_seconds += self._attempt._clock() - began


def code_of(error: Chat2ApiError) -> str:
    return CLIENT_GONE if isinstance(error, ClientGone) else error.code or error.type


def told_message(told: ErrorInfo) -> str:
    """Where the request is at fault its refusal may quote it, and prompts are not kept: only the name of
    the parameter is."""
    if told.type == "invalid_request_error" and told.status != 401:
        return f"param: {told.param}" if told.param else ""
    return told.message
