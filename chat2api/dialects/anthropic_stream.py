"""A streamed message: events to server-sent frames, one content block after the other.

Blocks are numbered and only one is open at a time, while upstreams may mix the arguments of several
calls: what belongs to a later block waits until the one before it is whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, assert_never

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
from chat2api.chat.tokens import EstimatingCounter, prompt_overhead, prompt_texts
from chat2api.dialects.anthropic_errors import stream_error_body
from chat2api.dialects.anthropic_message import (
    ending_of,
    message_object,
    signature_of,
    usage_object,
)
from chat2api.dialects.anthropic_request import THINKING
from chat2api.dialects.anthropic_tools import input_of, tool_use_id
from chat2api.dialects.pictures import picture_markdown
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import Chat2ApiError, ErrorInfo

Kind = Literal["text", "thinking", "tool_use"]

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_NOTHING_YET = {"stop_reason": None, "stop_sequence": None}
_MOST_LOOKS = 64
"""How often the arguments of a call are looked at for their end while others wait; then until the finish."""


class MessageStream:
    """The frames of one answer. `feed` and `close` are called by one thread at a time."""

    __slots__ = (
        "_ask",
        "_blocks",
        "_calls",
        "_failed",
        "_finished",
        "_frames",
        "_opened",
        "_refuses",
        "_request_id",
        "_stamp",
        "_started",
        "_thinks",
        "_usage",
    )

    def __init__(self, ask: Ask, stamp: Stamp, request_id: str) -> None:
        self._ask = ask
        self._stamp = stamp
        self._request_id = request_id
        self._thinks = bool(ask.echo[THINKING])
        self._frames: list[bytes] = []
        self._blocks: deque[_Block] = deque()  # the first may be open on the wire, the others wait
        self._calls: dict[int, _Block] = {}
        self._opened = 0
        self._usage: Usage | None = None
        self._started = self._finished = self._failed = self._refuses = False

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        """Frames for `events`; neighbours of one block share a frame."""
        if self._failed or self._finished:
            return b""
        if len(events) == 1 and len(self._blocks) == 1:
            event, block = events[0], self._blocks[0]
            if type(event) is TextDelta and event.text and block.is_open_text:
                return block.delta(event.text)
        self._start()
        if all(map(self._take, events)):
            self._send()
        return self._taken()

    def beat(self) -> bytes:
        """A ping, which may not be the first thing that is told."""
        self._start()
        self._frames.append(_PING)
        return self._taken()

    def close(self) -> bytes:
        return _frame({"type": "message_stop"}) if self._finished else b""

    def _take(self, event: Event) -> bool:
        """Whether more may follow."""
        match event:
            case TextDelta(text):
                self._say("text", text)
            case ReasoningDelta(text):
                if self._thinks:
                    self._say("thinking", text)
            case RefusalDelta(text):
                self._refuses = self._refuses or bool(text)
                self._say("text", text)
            case ImageRef():
                self._say("text", picture_markdown(event))
            case ToolCallDelta():
                self._call(event)
            case Usage():
                self._usage = event
            case Citation() | Thread():
                pass  # the link stands in the text already; this API continues nothing by an id
            case Finish():
                self._finish(event)
                return False
            case Failure(error):
                self._fail(error)
                return False
            case _:
                assert_never(event)
        return True

    def _say(self, kind: Kind, text: str) -> None:
        if not text:
            return
        if not self._blocks or self._blocks[-1].kind != kind:
            self._blocks.append(_Block(kind))
        self._blocks[-1].add(text)

    def _call(self, delta: ToolCallDelta) -> None:
        block = self._calls.get(delta.index)
        if block is None:
            block = self._calls[delta.index] = _Block(
                "tool_use", delta.call_id or "", delta.name or ""
            )
            self._blocks.append(block)
        if delta.arguments:
            block.add(delta.arguments)

    def _finish(self, finish: Finish) -> None:
        is_cut = finish.reason == "length"
        try:
            for block in self._blocks:
                if block.kind == "tool_use":
                    input_of(block.said, cut=is_cut)
        except Chat2ApiError as error:
            self._fail(error.info)
            return
        self._send(to_the_end=True)
        ending = ending_of(
            finish.reason, finish.stop, calls=bool(self._calls), refuses=self._refuses
        )
        self._frames.append(
            _frame({"type": "message_delta", "delta": ending, "usage": usage_object(self._usage)})
        )
        self._finished = True

    def _fail(self, error: ErrorInfo) -> None:
        """What was said before it is out; the block it stopped in stays open."""
        self._send()
        self._frames.append(_frame(stream_error_body(error, self._request_id)))
        self._failed = True

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        message = message_object(
            self._ask, self._stamp, [], _NOTHING_YET, usage_object(_guessed_usage(self._ask))
        )
        self._frames.append(_frame({"type": "message_start", "message": message}))
        self._frames.append(_PING)

    def _send(self, *, to_the_end: bool = False) -> None:
        """What can be told now: of the first block that is not whole, and all before it."""
        blocks = self._blocks
        while blocks:
            block = blocks[0]
            if not block.is_open:
                self._open(block)
            if pending := block.take():
                self._frames.append(block.delta(pending))
            if not to_the_end and (len(blocks) == 1 or not block.is_whole()):
                return
            self._close(blocks.popleft())

    def _open(self, block: _Block) -> None:
        block.open(self._opened)
        self._opened += 1
        self._frames.append(
            _frame(
                {
                    "type": "content_block_start",
                    "index": block.index,
                    "content_block": block.beginning(),
                }
            )
        )

    def _close(self, block: _Block) -> None:
        if block.kind == "thinking":
            signature = orjson.dumps(signature_of(self._stamp))
            self._frames.append(_before_delta(block.index, "signature") + signature + _AFTER_DELTA)
        self._frames.append(_frame({"type": "content_block_stop", "index": block.index}))

    def _taken(self) -> bytes:
        frames, self._frames = self._frames, []
        return b"".join(frames)


class _Block:
    """One content block: what was said of it and not yet told, and how far it is on the wire."""

    __slots__ = (
        "_before",
        "_call_id",
        "_looks",
        "_name",
        "_parts",
        "_pending",
        "index",
        "is_open_text",
        "kind",
    )

    def __init__(self, kind: Kind, call_id: str = "", name: str = "") -> None:
        self.kind = kind
        self.index = -1
        self.is_open_text = False
        self._before = b""
        self._call_id = call_id
        self._name = name
        self._pending: list[str] = []
        self._parts: list[str] = []  # all arguments of a call
        self._looks = 0

    @property
    def is_open(self) -> bool:
        return self.index >= 0

    @property
    def said(self) -> str:
        """All arguments of a call so far."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def add(self, text: str) -> None:
        self._pending.append(text)
        if self.kind == "tool_use":
            self._parts.append(text)

    def open(self, index: int) -> None:
        self.index = index
        self.is_open_text = self.kind == "text"
        self._before = _before_delta(index, self.kind)

    def take(self) -> str:
        pending, self._pending = self._pending, []
        return "".join(pending)

    def beginning(self) -> dict[str, Any]:
        match self.kind:
            case "text":
                return {"type": "text", "text": ""}
            case "thinking":
                return {"type": "thinking", "thinking": "", "signature": ""}
            case "tool_use":
                tool_use = tool_use_id(self._call_id)
                return {"type": "tool_use", "id": tool_use, "name": self._name, "input": {}}
            case _:
                assert_never(self.kind)

    def delta(self, text: str) -> bytes:
        return self._before + orjson.dumps(text) + _AFTER_DELTA

    def is_whole(self) -> bool:
        """Whether nothing can follow, now that another block does."""
        if self.kind != "tool_use":
            return True
        arguments = self.said
        if self._looks >= _MOST_LOOKS or not arguments.rstrip().endswith("}"):
            return False
        self._looks += 1
        try:
            input_of(arguments)
        except Chat2ApiError:
            return False
        return True


_DELTAS = {
    "text": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "signature": (b"signature_delta", b"signature"),
    "tool_use": (b"input_json_delta", b"partial_json"),
}


_AFTER_DELTA = b"}}\n\n"


def _before_delta(index: int, kind: str) -> bytes:
    """A delta's frame up to its text, which is a JSON string: this comes thousands of times."""
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
        b'"delta":{"type":"%b","%b":' % (index, *_DELTAS[kind])
    )


def _frame(body: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (body["type"].encode(), orjson.dumps(body))


def _guessed_usage(ask: Ask) -> Usage:
    """Counting a long prompt would hold up the first word; the end tells what was used."""
    count = EstimatingCounter().count
    texts = sum(map(count, prompt_texts(ask.conversation)))
    return Usage(prompt_overhead(ask.conversation) + texts, 0)
