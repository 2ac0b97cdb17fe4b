"""What a caller makes of an answer, streamed or whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from .wire import sse_payloads

_PICTURE = re.compile(r"!\[image[^\]]*\]\(([^)]*)\)\n?")


@dataclass(frozen=True)
class Answer:
    """What a caller makes of an answer, streamed or whole."""

    status: int
    headers: Any
    text: str = ""
    images: tuple[str, ...] = ()
    reasoning: str = ""
    finish_reason: str | None = None
    error: Any = None
    done: bool = True
    conversation_id: str | None = None
    message_id: str | None = None

    @property
    def code(self) -> str | None:
        return None if self.error is None else str(self.error["code"])


def read_answer(response: requests.Response) -> Answer:
    """The whole answer of a request that asked for one choice."""
    if not response.headers["Content-Type"].startswith("text/event-stream"):
        document = response.json()
        if "error" in document:
            return Answer(response.status_code, response.headers, error=document["error"])
        (choice,) = document["choices"]
        return _answer(
            response, [{**document, "choices": [{**choice, "delta": choice["message"]}]}]
        )
    payloads = sse_payloads(response.content.decode())
    done = bool(payloads) and payloads[-1] == "[DONE]"
    return _answer(response, payloads[:-1] if done else payloads, done)


def _answer(response: requests.Response, chunks: list[Any], done: bool = True) -> Answer:
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    content = "".join(choice["delta"].get("content") or "" for choice in choices)
    ends = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    assert len(ends) <= 1, "more than one finish_reason"
    return Answer(
        response.status_code,
        response.headers,
        text=_PICTURE.sub("", content),
        images=tuple(_PICTURE.findall(content)),
        reasoning="".join(choice["delta"].get("reasoning_content") or "" for choice in choices),
        finish_reason=ends[0] if ends else None,
        error=next((chunk["error"] for chunk in chunks if "error" in chunk), None),
        done=done,
        conversation_id=next(
            (c["conversation_id"] for c in chunks if "conversation_id" in c), None
        ),
        message_id=next((c["message_id"] for c in reversed(chunks) if "message_id" in c), None),
    )
