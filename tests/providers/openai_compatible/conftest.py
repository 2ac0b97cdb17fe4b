"""What the tests of the OpenAI-compatible provider share: answers decoded."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from chat2api.chat.events import Event
from chat2api.chat.fold import fold
from chat2api.codecs.sse import SseRecord
from chat2api.errors import Chat2ApiError, ErrorInfo
from chat2api.providers.openai_compatible.decode import AnswerDecoder
from chat2api.providers.openai_compatible.refusals import Upstream, classify

NOW = 1_780_000_000.0


@dataclass
class Decoded:
    """What a whole stream came to."""

    events: list[Event]
    error: ErrorInfo | None
    decoder: AnswerDecoder

    @property
    def whole(self) -> Any:
        return fold(self.events)

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        return [(one.call_id, one.name, one.arguments) for one in self.whole.tool_calls]


def new_decoder() -> AnswerDecoder:
    """Ids that it makes are made_1, made_2 and so on."""
    numbers = itertools.count(1)

    def refuse(document: Mapping[str, Any]) -> Chat2ApiError:
        return classify(Upstream("local", ("sk-hidden",)), 200, {}, document, NOW)

    return AnswerDecoder(refuse, lambda: f"made_{next(numbers)}")


def decoded(records: Iterable[SseRecord]) -> Decoded:
    decoder = new_decoder()
    events: list[Event] = []
    try:
        for record in records:
            events += decoder.feed(record)
        events += decoder.close()
    except Chat2ApiError as error:
        return Decoded(events, error.info, decoder)
    return Decoded(events, None, decoder)


@pytest.fixture(scope="session")
def run() -> Callable[[Iterable[SseRecord]], Decoded]:
    """Decodes records."""
    return decoded


@pytest.fixture(scope="session")
def decode() -> Callable[..., Decoded]:
    """Decodes chunks given as documents or texts."""

    def decode(*chunks: Any) -> Decoded:
        texts = (one if isinstance(one, str) else json.dumps(one) for one in chunks)
        return decoded(SseRecord("message", text) for text in texts)

    return decode
