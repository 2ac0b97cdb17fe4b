"""An upstream that has to be helped with calls and JSON, and what its model writes."""

from __future__ import annotations

import math
from typing import Any

from chat2api.chat.conversation import Conversation, Message, Text, ToolSpec
from chat2api.chat.events import Event, EventStream, Finish, TextDelta
from chat2api.chat.fold import Completion, fold
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Capabilities
from chat2api.service.emulation import Emulator
from chat2api.service.json_checks import JsonChecks
from chat2api.service.usage import UsageCounter

NONCE = "kzq3x9ab"
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = ToolSpec("get_weather", "The weather of a city.", CITY)
PATCH = ToolSpec("patch", "Changes files.", {}, custom=True)
STOP = Finish("stop")


def written(body: str, name: str = "get_weather") -> str:
    return f'<tool_call_{NONCE} name="{name}">\n{body}\n</tool_call_{NONCE}>'


OSLO = written('{"city": "Oslo"}')
PARIS = written('{"city": "Paris"}')
WRONG = written('{"town": "Oslo"}')


def asking(**more: Any) -> Conversation:
    given: dict[str, Any] = {"tools": (WEATHER, PATCH), **more}
    return Conversation("auto", (Message("user", (Text("Weather in Oslo?"),)),), **given)


class Upstream:
    """Answers each asking with the next of `answers`: a text, or events; keeps what it was asked."""

    def __init__(self, *answers: str | list[Event]) -> None:
        self.answers = list(answers)
        self.asked: list[Conversation] = []
        self.open = 0
        self.read = 0
        numbers = iter(range(1, 100))
        nothing: Any = None
        self.emulator = Emulator(
            JsonChecks(nothing),
            UsageCounter(nothing),
            make_nonce=lambda: NONCE,
            make_call_id=lambda: f"call_{next(numbers)}",
        )

    def ask(self, conversation: Conversation) -> EventStream:
        answer = self.answers[len(self.asked)]
        self.asked.append(conversation)
        self.open += 1
        try:
            for event in [TextDelta(answer), STOP] if isinstance(answer, str) else answer:
                self.read += 1
                yield event
        finally:
            self.open -= 1

    def events(
        self, conversation: Conversation, capabilities: Capabilities | None = None
    ) -> EventStream:
        able = capabilities or Capabilities()
        return self.emulator.events(conversation, able, self.ask, Call(math.inf))

    def answer(self, conversation: Conversation, **able: bool) -> Completion:
        done = fold(self.events(conversation, Capabilities(**able)))
        assert self.open == 0
        return done


def calls(done: Completion) -> list[tuple[str, str, str]]:
    return [(call.call_id, call.name, call.arguments) for call in done.tool_calls]
