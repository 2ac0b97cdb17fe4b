"""Token usage of a turn: the upstream's figures where it gives any, else counted here (decision 36)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from chat2api.chat import tokens
from chat2api.chat.conversation import Conversation
from chat2api.chat.events import (
    EventStream,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.compute.protocol import Compute, ComputeFailed
from chat2api.lifetime.call import Call
from chat2api.service.tracing import EXACT_CHARACTERS, Tracer

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

    def added(
        self,
        events: EventStream,
        conversation: Conversation,
        call: Call,
        note: Callable[[Usage], None] = lambda usage: None,
    ) -> EventStream:
        """The same events, with a `Usage` before `Finish` unless the upstream sent one; `note` hears of
        that one."""
        answer: list[str] = []
        reasoning: list[str] = []
        given = False
        for event in events:
            match event:
                case TextDelta(text) | RefusalDelta(text):
                    answer.append(text)
                case ReasoningDelta(text):
                    reasoning.append(text)
                case ToolCallDelta():
                    answer.append((event.name or "") + event.arguments)
                case Usage():
                    given = True
                case Finish() if not given:
                    usage = self._usage(conversation, "".join(answer), "".join(reasoning), call)
                    note(usage)
                    yield usage
                case _:
                    pass
            yield event

    def prompt_tokens(self, conversation: Conversation, call: Call) -> int:
        """Tokens of everything that is asked."""
        texts = list(tokens.prompt_texts(conversation))
        return tokens.prompt_overhead(conversation) + sum(self._counts(texts, call))

    def recorded(self, tracer: Tracer, conversation: Conversation) -> Usage:
        """What a request used, for its record: as it was counted for the caller or by the upstream; else
        short texts are counted here and long ones estimated, so that nobody waits for it.

        `estimated` tells of such estimates only. A request that came to no answer used nothing.
        """
        tracer.digest()
        turns = [turn for turn in tracer.turns if turn.usage is not None or turn.said_anything]
        if not turns:
            return Usage(0, 0, estimated=False)
        known = [turn.usage for turn in turns if turn.usage is not None]
        unknown = [turn for turn in turns if turn.usage is None]
        guessed = any(turn.is_guess for turn in unknown)
        if known:
            prompt = max(usage.prompt_tokens for usage in known)
        else:
            prompt, prompt_guessed = self._prompt(conversation)
            guessed = guessed or prompt_guessed
        answers = sum(usage.completion_tokens for usage in known)
        answers += sum(turn.said_tokens(self.count) for turn in unknown)
        ours = bool(unknown) or any(usage.estimated for usage in known)
        return Usage(prompt, answers, estimated=guessed or (ours and self._counter.estimated))

    def _prompt(self, conversation: Conversation) -> tuple[int, bool]:
        """Tokens of a prompt, and whether that is a guess."""
        texts = list(tokens.prompt_texts(conversation))
        is_short = sum(map(len, texts)) <= EXACT_CHARACTERS
        count = self.count if is_short else tokens.EstimatingCounter().count
        return tokens.prompt_overhead(conversation) + sum(map(count, texts)), not is_short

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
