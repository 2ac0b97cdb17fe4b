"""What the tests of the ChatGPT provider share: messages as the upstream writes them, and decoding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chat2api.chat.events import Event, ImageRef
from chat2api.chat.fold import fold
from chat2api.codecs.sse import FastSseDecoder, SseRecord
from chat2api.errors import Chat2ApiError, ErrorInfo
from chat2api.providers.chatgpt.decode import TurnDecoder

RECORDINGS = Path(__file__).parents[2] / "recordings" / "chatgpt"
NOW = 1_780_000_000.0


@dataclass
class Decoded:
    """What a whole stream came to."""

    events: list[Event]
    error: ErrorInfo | None
    decoder: TurnDecoder

    @property
    def text(self) -> str:
        return fold(self.events).text

    @property
    def reasoning(self) -> str:
        return fold(self.events).reasoning

    @property
    def images(self) -> list[str]:
        return [event.pointer for event in self.events if isinstance(event, ImageRef)]

    @property
    def reason(self) -> str | None:
        return fold(self.events).finish_reason


class Wire:
    """Composes what the upstream sends."""

    @staticmethod
    def record(payload: Any, event: str = "message") -> SseRecord:
        return SseRecord(event, payload if isinstance(payload, str) else json.dumps(payload))

    @staticmethod
    def message(
        message_id: str = "a",
        text: str | None = "",
        *,
        role: str = "assistant",
        done: bool = False,
        **fields: Any,
    ) -> dict[str, Any]:
        """A message; `content` and any other field can be given whole, `meta` is its metadata."""
        return {
            "id": message_id,
            "author": {"role": role, "name": fields.pop("name", None)},
            "content": fields.pop("content", None) or {"content_type": "text", "parts": [text]},
            "status": "finished_successfully" if done else "in_progress",
            "end_turn": True if done else None,
            "metadata": fields.pop("meta", {}),
            "recipient": "all",
            "channel": None,
            **fields,
        }

    def snapshot(self, *args: Any, **fields: Any) -> dict[str, Any]:
        return {"message": self.message(*args, **fields), "conversation_id": "c", "error": None}

    def root(self, *args: Any, c: int = 0, **fields: Any) -> dict[str, Any]:
        return {"p": "", "o": "add", "v": self.snapshot(*args, **fields), "c": c}

    @staticmethod
    def append(text: str) -> dict[str, Any]:
        return {"p": "/message/content/parts/0", "o": "append", "v": text}

    @property
    def complete(self) -> dict[str, Any]:
        return {"type": "message_stream_complete", "conversation_id": "c"}


@pytest.fixture(scope="session")
def wire() -> Wire:
    return Wire()


def _decode(
    records: Iterable[SseRecord | dict[str, Any] | str],
    *,
    sent: Iterable[str] = (),
    history: bool = False,
    code: Any = "markdown",
    own_files: Iterable[str] = (),
    finish: bool = True,
) -> Decoded:
    decoder = TurnDecoder(
        frozenset(sent), history, code, own_file_ids=frozenset(own_files), clock=lambda: NOW
    )
    events: list[Event] = []
    try:
        for item in records:
            events += decoder.feed(item if isinstance(item, SseRecord) else Wire.record(item))
        if finish:
            events += decoder.finish()
    except Chat2ApiError as error:
        return Decoded(events, error.info, decoder)
    return Decoded(events, None, decoder)


@pytest.fixture(scope="session")
def decode() -> Callable[..., Decoded]:
    """decode(records, sent=(), history=False, code="markdown", own_files=(), finish=True)."""
    return _decode


@pytest.fixture(scope="session")
def recorded() -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Every recording and transcript: its bytes, and what it must decode to."""
    found = {}
    for expected in (RECORDINGS / "expected.json", RECORDINGS / "transcripts" / "expected.json"):
        for name, story in json.loads(expected.read_text()).items():
            found[name] = ((expected.parent / name).read_bytes(), story)
    return found


@pytest.fixture(scope="session")
def read() -> Callable[[bytes], list[SseRecord]]:
    return lambda body: FastSseDecoder(1 << 25).feed(body)
