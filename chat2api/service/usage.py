"""Token usage of a turn: the upstream's figures where it gives any, else counted here (decision 36)."""

from __future__ import annotations

import logging

from chat2api.chat import tokens
from chat2api.chat.conversation import Conversation
from chat2api.chat.events import (
    EventStream,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.compute.protocol import Compute, ComputeFailed
from chat2api.lifetime.call import Call

log = logging.getLogger(__name__)

_INLINE_CHARACTERS = 20_000
_COUNT_SECONDS = 20.0


class UsageCounter:
    """Short texts are counted here in microseconds; long ones in another process."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._counter = tokens.load_counter()

    def count(self, text: str) -> int:
        return self._counter.count(text)

    def prefix_within(self, text: str, limit: int) -> str:
        return self._counter.prefix_within(text, limit)

    def added(self, events: EventStream, conversation: Conversation, call: Call) -> EventStream:
        """The same events, with a `Usage` before `Finish` unless the upstream sent one."""
        answer: list[str] = []
        reasoning: list[str] = []
        given = False
        for event in events:
            match event:
                case TextDelta(text):
                    answer.append(text)
                case ReasoningDelta(text):
                    reasoning.append(text)
                case ToolCallDelta():
                    answer.append((event.name or "") + event.arguments)
                case Usage():
                    given = True
                case Finish() if not given:
                    yield self._usage(conversation, "".join(answer), "".join(reasoning), call)
                case _:
                    pass
            yield event

    def _usage(self, conversation: Conversation, answer: str, reasoning: str, call: Call) -> Usage:
        texts = [answer, reasoning, *tokens.prompt_texts(conversation)]
        counts = self._counts(texts, call)
        return Usage(
            prompt_tokens=tokens.prompt_overhead(conversation) + sum(counts[2:]),
            completion_tokens=counts[0] + counts[1],
            reasoning_tokens=counts[1],
            estimated=True,
        )

    def _counts(self, texts: list[str], call: Call) -> list[int]:
        """The tokens of each text."""
        if sum(map(len, texts)) <= _INLINE_CHARACTERS:
            return [self._counter.count(text) for text in texts]
        try:
            counts, _ = self._compute.run(
                "count_tokens", texts, call=call, timeout_seconds=_COUNT_SECONDS
            )
            return [int(number) for number in counts]
        except ComputeFailed:
            log.warning("counting tokens failed; estimating")
            guess = tokens.EstimatingCounter()
            return [guess.count(text) for text in texts]
