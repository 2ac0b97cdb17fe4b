"""A streamed chat completion: events to server-sent `chat.completion.chunk` frames.

This is the hottest code of a dialect: a long answer passes here thousands of times. Everything in a
frame but its delta is rendered once into bytes, and a lone text delta costs one JSON string and one join.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import orjson

from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.dialects.errors import stream_error_body
from chat2api.dialects.openai_calls import call_teller, told_reason
from chat2api.dialects.openai_usage import total_usage, usage_object
from chat2api.dialects.pictures import picture_markdown
from chat2api.dialects.protocol import Ask, Stamp

_KEEP_ALIVE = b": keep-alive\n\n"
_DONE = b"data: [DONE]\n\n"
_ROLE = b'{"role":"assistant","content":"","refusal":null}'


class ChatStream:
    """The frames of one answer. `feed` and `close` are called by one thread at a time."""

    __slots__ = ("_choices", "_envelope", "_failed", "_include_usage")

    def __init__(self, ask: Ask, stamp: Stamp) -> None:
        envelope = {
            "id": stamp.answer_id,
            "object": "chat.completion.chunk",
            "created": stamp.created,
            "model": ask.conversation.model,
            "service_tier": "default",
            "system_fingerprint": None,
        }
        self._envelope = b"data: " + orjson.dumps(envelope)[:-1]
        self._include_usage = ask.include_usage
        self._failed = False
        self._choices = [_Choice(index, self._envelope, ask) for index in range(ask.choices)]

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        """Frames for `events` of choice `index`; adjacent texts share one frame."""
        choice = self._choices[index]
        if self._failed or choice.finished:
            return b""
        if len(events) == 1 and choice.started:
            event = events[0]
            if type(event) is TextDelta and event.text:
                return choice.text_frame(event.text)
        return self._draw(choice, events)

    def beat(self) -> bytes:
        return _KEEP_ALIVE

    def close(self) -> bytes:
        """Usage if it was asked for, then `[DONE]`; nothing unless every choice came to its end."""
        if not all(choice.finished for choice in self._choices):
            return b""
        return self._usage_frame() + _DONE

    def _draw(self, choice: _Choice, events: Sequence[Event]) -> bytes:
        for event in events:
            match event:
                case TextDelta(text):
                    choice.say(b"content", text)
                case ReasoningDelta(text):
                    choice.say(b"reasoning_content", text)
                case RefusalDelta(text):
                    choice.say(b"refusal", text)
                case ImageRef():
                    choice.say(b"content", picture_markdown(event))
                case ToolCallDelta():
                    choice.call(event)
                case Thread():
                    choice.stamp(event)
                case Usage():
                    choice.usage = event
                case Citation():
                    pass  # the link stands in the text already
                case Finish():
                    choice.finish(event)
                    break
                case Failure(error):
                    self._failed = True
                    frame = b"data: %b\n\n" % orjson.dumps(stream_error_body(error))
                    return choice.take() + frame
                case _:
                    assert_never(event)
        return choice.take()

    def _usage_frame(self) -> bytes:
        usage = total_usage(choice.usage for choice in self._choices)
        if not self._include_usage or usage is None:
            return b""
        return b'%b,"choices":[],"usage":%b%b}\n\n' % (
            self._envelope,
            orjson.dumps(usage_object(usage)),
            self._choices[0].ids,
        )


class _Choice:
    """One choice: its template, the frames not yet taken, and how far it has come."""

    __slots__ = (
        "_after",
        "_before",
        "_calls",
        "_channel",
        "_frames",
        "_legacy",
        "_run",
        "_text_after",
        "_text_before",
        "_usage_key",
        "finished",
        "ids",
        "started",
        "usage",
    )

    def __init__(self, index: int, envelope: bytes, ask: Ask) -> None:
        self.started = False
        self.finished = False
        self.usage: Usage | None = None
        self._channel = b"content"
        self._run: list[str] = []
        self._frames: list[bytes] = []
        self._before = b'%b,"choices":[{"index":%d,"delta":' % (envelope, index)
        self._text_before = self._before + b'{"content":'
        self._usage_key = b',"usage":null' if ask.include_usage else b""
        self._legacy = ask.legacy_functions
        self._calls = call_teller(legacy=ask.legacy_functions)
        self._set_ids(b"")

    def text_frame(self, text: str) -> bytes:
        """What `say` and `take` make of a lone text once the role is out, in one step."""
        return self._text_before + orjson.dumps(text) + self._text_after

    def say(self, channel: bytes, text: str) -> None:
        """More text for a field of the delta; it waits for its neighbours."""
        if channel != self._channel:
            self._flush()
            self._channel = channel
        self._run.append(text)

    def call(self, event: ToolCallDelta) -> None:
        """More of a call; a frame of its own for each delta that says something."""
        self._flush()
        for delta in self._calls.deltas(event):
            self._start()
            self._frames.append(self._frame(orjson.dumps(delta)))

    def stamp(self, thread: Thread) -> None:
        """From here on every frame says where the conversation is kept."""
        self._flush()
        self._set_ids(b"," + orjson.dumps(thread_keys(thread))[1:-1])
        self._start()

    def finish(self, event: Finish) -> None:
        self._flush()
        self._start()
        reason = told_reason(event.reason, legacy=self._legacy)
        frame = self._frame(b"{}", b'"%b"' % reason.encode())
        if event.notes:
            told = orjson.dumps({"chat2api": {"warnings": event.notes}})
            frame = b"%b,%b\n\n" % (frame.removesuffix(b"}\n\n"), told[1:])
        self._frames.append(frame)
        self.finished = True

    def take(self) -> bytes:
        self._flush()
        taken = b"".join(self._frames)
        self._frames.clear()
        return taken

    def _flush(self) -> None:
        text = "".join(self._run)
        self._run.clear()
        if text:
            self._start()
            self._frames.append(self._frame(b'{"%b":%b}' % (self._channel, orjson.dumps(text))))

    def _start(self) -> None:
        """The role comes first, and once."""
        if not self.started:
            self.started = True
            self._frames.append(self._frame(_ROLE))

    def _frame(self, delta: bytes, reason: bytes = b"null") -> bytes:
        return b'%b%b,"logprobs":null,"finish_reason":%b%b' % (
            self._before,
            delta,
            reason,
            self._after,
        )

    def _set_ids(self, ids: bytes) -> None:
        self.ids = ids
        self._after = b"}]%b%b}\n\n" % (self._usage_key, ids)
        self._text_after = b'},"logprobs":null,"finish_reason":null' + self._after


def thread_keys(thread: Thread | None) -> dict[str, str]:
    """Top-level keys by which a caller can continue a kept conversation (sheet 6.2)."""
    if thread is None:
        return {}
    keys = {"conversation_id": thread.conversation_id}
    if thread.message_id is not None:
        keys["message_id"] = thread.message_id
    return keys
