"""What a key may still use: requests of this minute, tokens of today.

A request sets tokens aside before it begins and is settled to what it used, exactly once, however it
ends. While the store is away a key with a limit on requests alone is let through, and one with a budget
is not (fault matrix G07).
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chat2api.chat import tokens
from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from chat2api.errors import InsufficientQuota, RateLimited, StorageUnavailable
from chat2api.service.access import PoolKey, Principal
from chat2api.store.api_keys import ApiKey
from chat2api.store.key_usage import (
    Count,
    Day,
    Hold,
    KeyUsage,
    RequestsSpent,
    TokensSpent,
)

log = logging.getLogger(__name__)

DayOf = Callable[[float], Day]
"""The day of the budget that a moment (epoch seconds) lies in."""

ANSWER_TOKENS = 16_384
"""Set aside for an answer whose length the caller left open."""

_RATE_WAIT_SECONDS = 1.0
_MOST_UNSETTLED = 10_000
_INLINE_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request may cost: its prompt once, and each of `choices` answers."""

    prompt_tokens: int
    answer_tokens: int = ANSWER_TOKENS
    choices: int = 1

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.choices * self.answer_tokens


def estimate_of(conversation: Conversation, choices: int = 1) -> Estimate:
    """By length alone: exact counts come with the answer."""
    count = tokens.EstimatingCounter().count
    prompt = tokens.prompt_overhead(conversation) + sum(
        map(count, tokens.prompt_texts(conversation))
    )
    return Estimate(prompt, conversation.limits.max_tokens or ANSWER_TOKENS, choices)


def day_in(zone_name: str) -> DayOf:
    """Days as the clocks of a time zone have them; "" is the system's zone."""
    zone = ZoneInfo(zone_name) if zone_name else None

    def day_of(now: float) -> Day:
        date = datetime.fromtimestamp(now, zone).date()
        ends = datetime.combine(date + timedelta(days=1), time(), tzinfo=zone)
        return Day(f"day:{date.isoformat()}", ends.timestamp())

    return day_of


class Admission:
    """The leave to run one request. It is settled once: what is said after that counts no more."""

    def __init__(
        self,
        estimate: Estimate | None = None,
        hold: Hold | None = None,
        settle: Callable[[Hold, int], None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._estimate = estimate
        self._hold = hold
        self._settle = settle
        self._headers = dict(headers or {})
        self._lock = threading.Lock()
        self._open = hold is not None

    @property
    def is_metered(self) -> bool:
        """Whether what the request uses has to be counted."""
        return self._hold is not None

    @property
    def output_limit(self) -> int | None:
        """Tokens that each answer may have, so that the budget holds; None: as many as it likes."""
        if self._hold is None or self._estimate is None:
            return None
        room = self._hold.tokens - self._estimate.prompt_tokens
        return max(1, room // self._estimate.choices)

    def settle(self, used_tokens: int) -> None:
        with self._lock:
            first, self._open = self._open, False
        if first and self._hold is not None and self._settle is not None:
            self._settle(self._hold, max(0, used_tokens))

    def release(self) -> None:
        """The request came to nothing."""
        self.settle(0)

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` of the limits there are."""
        return dict(self._headers)

    def limited(self, conversation: Conversation) -> Conversation:
        """The conversation with its answer no longer than the budget allows."""
        limit = self.output_limit
        if limit is None:
            return conversation
        asked = conversation.limits.max_tokens
        most = limit if asked is None else min(asked, limit)
        return replace(conversation, limits=replace(conversation.limits, max_tokens=most))

    def metered(self, turns: Sequence[EventStream]) -> list[EventStream]:
        """The same turns; when the last one ends, the admission is settled to what all of them used."""
        if self._estimate is None or not self.is_metered:
            return list(turns)
        meter = _Meter(self, self._estimate.prompt_tokens, len(turns))
        return [meter.read(turn) for turn in turns]


class _Meter:
    """Adds up what the turns of one request use: the prompt once, and every answer."""

    def __init__(self, admission: Admission, prompt_tokens: int, turns: int) -> None:
        self._admission = admission
        self._prompt_estimate = prompt_tokens
        self._lock = threading.Lock()
        self._running = turns
        self._prompt = 0
        self._answers = 0

    def read(self, turn: EventStream) -> EventStream:
        usage: Usage | None = None
        said: list[str] = []
        try:
            with closing(turn):
                for event in turn:
                    match event:
                        case TextDelta(text) | ReasoningDelta(text):
                            said.append(text)
                        case ToolCallDelta():
                            said.append(event.arguments)
                        case Usage():
                            usage = event
                        case _:
                            pass
                    yield event
        finally:
            self._ended(usage or self._of_a_broken_turn("".join(said)))

    def _of_a_broken_turn(self, said: str) -> Usage:
        """A turn that broke off without figures costs what was said; nothing said costs nothing."""
        if not said:
            return Usage(0, 0)
        count = (
            tokens.count if len(said) <= _INLINE_CHARACTERS else tokens.EstimatingCounter().count
        )
        return Usage(self._prompt_estimate, count(said))

    def _ended(self, usage: Usage) -> None:
        with self._lock:
            self._prompt = max(self._prompt, usage.prompt_tokens)
            self._answers += usage.completion_tokens
            self._running -= 1
            is_last = self._running == 0
        if is_last:
            self._admission.settle(self._prompt + self._answers)


class KeyLimits:
    """Made once per process. `rate_fails_open`, `budget_fails_open`: what happens to keys with such a
    limit while the store is away; one that fails closed is StorageUnavailable."""

    def __init__(
        self,
        usage: KeyUsage,
        day_of: DayOf,
        *,
        rate_fails_open: bool = True,
        budget_fails_open: bool = False,
    ) -> None:
        self._usage = usage
        self._day_of = day_of
        self._rate_fails_open = rate_fails_open
        self._budget_fails_open = budget_fails_open
        self._unsettled: deque[tuple[Hold, int]] = deque(maxlen=_MOST_UNSETTLED)

    def admit(self, principal: Principal, estimate: Callable[[], Estimate]) -> Admission:
        """Raises RateLimited, InsufficientQuota, StorageUnavailable. `estimate` is asked if it matters."""
        key = principal.key if isinstance(principal, PoolKey) else None
        if key is None or not key.has_limits:
            return Admission()
        try:
            return self._admitted(key, estimate)
        except RequestsSpent as spent:
            raise RateLimited(
                f"This API key is limited to {spent.count.limit} requests per minute.",
                **self._facts("requests", spent.count),
            ) from None
        except TokensSpent as spent:
            raise InsufficientQuota(
                f"This API key has used its {spent.count.limit} tokens of today.",
                **self._facts("tokens", spent.count),
            ) from None
        except StorageUnavailable:
            budget = key.daily_tokens is not None
            if not (self._budget_fails_open if budget else self._rate_fails_open):
                raise
            log.warning("a key's limits cannot be checked; it is let through")
            return Admission()

    def used_today(self, key_ids: Collection[str]) -> dict[str, int]:
        """Tokens that keys have used of this day's budgets. Raises StorageUnavailable."""
        return self._usage.all_used_today(key_ids, self._day_of(self._usage.now()))

    def _admitted(self, key: ApiKey, estimate: Callable[[], Estimate]) -> Admission:
        rate, budget = key.requests_per_minute, key.daily_tokens
        if budget is not None:
            return self._within_budget(key.key_id, rate, budget, estimate())
        if rate is None:
            return Admission()
        requests = self._usage.take_request(key.key_id, rate, _RATE_WAIT_SECONDS)
        return Admission(headers=limit_headers("requests", requests, self._usage.now()))

    def _within_budget(
        self, key_id: str, rate: int | None, budget: int, estimate: Estimate
    ) -> Admission:
        now = self._usage.now()
        taken = self._usage.take(key_id, rate, budget, estimate.total, self._day_of(now))
        self._settle_what_waits()
        headers = {
            **limit_headers("requests", taken.requests, now),
            **limit_headers("tokens", taken.tokens, now),
        }
        return Admission(estimate, taken.hold, self._settle, headers)

    def _facts(self, kind: str, count: Count) -> dict[str, Any]:
        now = self._usage.now()
        return {
            "retry_after": max(0.0, count.resets_at - now),
            "headers": limit_headers(kind, count, now),
        }

    def _settle(self, hold: Hold, used: int) -> None:
        """Where the store is away it is remembered: what was used is owed."""
        try:
            self._usage.settle(hold, used)
        except StorageUnavailable:
            self._unsettled.append((hold, used))
            log.warning("what a key used could not be stored; it will be tried again")
        else:
            self._settle_what_waits()

    def _settle_what_waits(self) -> None:
        while self._unsettled:
            try:
                waiting = self._unsettled.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                self._usage.settle(*waiting)
            except StorageUnavailable:
                self._unsettled.append(waiting)
                return


def limit_headers(kind: str, count: Count | None, now: float) -> dict[str, str]:
    """The three `x-ratelimit-*` headers of one limit, as the public API has them."""
    if count is None:
        return {}
    return {
        f"x-ratelimit-limit-{kind}": str(count.limit),
        f"x-ratelimit-remaining-{kind}": str(count.left),
        f"x-ratelimit-reset-{kind}": duration_text(count.resets_at - now),
    }


def duration_text(seconds: float) -> str:
    """`1s`, `6m0s`, `23h59m59s`."""
    whole = max(0, math.ceil(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds_left}s"
    return f"{minutes}m{seconds_left}s" if minutes else f"{seconds_left}s"
