"""A streamed Responses answer: events to the documented sequence of typed events.

`ResponsesStream` gives them as server-sent events, and as JSON texts for WebSocket. A long answer passes
here thousands of times, so a lone text delta costs one JSON string and one join.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, assert_never

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
from chat2api.chat.fold import joined
from chat2api.dialects.openai_responses_object import (
    Status,
    failure_object,
    incomplete_reason,
    response_object,
)
from chat2api.dialects.openai_responses_output import (
    CallItem,
    Channel,
    Events,
    ItemStatus,
    MessageItem,
    PartType,
    PictureItem,
    Place,
    ReasoningItem,
    ended,
)
from chat2api.dialects.openai_responses_tools import Home, tool_homes
from chat2api.dialects.pictures import picture_markdown
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo

QUIET_SECONDS = 60.0
"""Comments do not feed the idle timers of agents, so after so long without an event one is repeated."""

_KEEP_ALIVE = b": keep-alive\n\n"
_TEXT_FRAME = b"event: response.output_text.delta\ndata: %b\n\n"
_TYPE_AT = len(b'{"type":"')


class ResponsesStream:
    """The events of one answer. One thread at a time; `now` gives seconds.

    `result` is the `response` object once the answer came to its end, also to a bad one; None before.
    """

    __slots__ = (
        "_ask",
        "_begun",
        "_calls",
        "_citations",
        "_events",
        "_homes",
        "_now",
        "_open",
        "_output",
        "_said_at",
        "_stamp",
        "_text",
        "_usage",
        "result",
    )

    def __init__(self, ask: Ask, stamp: Stamp, now: Callable[[], float]) -> None:
        self.result: dict[str, Any] | None = None
        self._ask = ask
        self._stamp = stamp
        self._now = now
        self._homes = tool_homes(ask.echo["tools"])
        self._events = Events()
        self._begun: orjson.Fragment | None = None
        self._output: list[dict[str, Any]] = []
        self._open: MessageItem | ReasoningItem | None = None
        self._calls: dict[int, CallItem] = {}  # those that are not done, by their number
        self._text: Channel | None = None  # where more text goes, if it needs nothing else
        self._citations: list[Citation] = []
        self._usage: Usage | None = None
        self._said_at = now()

    # --- on the wire

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        """Server-sent events, each ended by a blank line; `index` is 0, as there is one choice."""
        text = self._lone_text(events)
        if text is not None:
            return _TEXT_FRAME % text
        return b"".join(map(_framed, self.events(events)))

    def beat(self) -> bytes:
        return b"".join(map(_framed, self.pulse())) or _KEEP_ALIVE

    def close(self) -> bytes:
        """Nothing: this API ends with its last event."""
        return b""

    def events(self, events: Sequence[Event]) -> list[bytes]:
        """The JSON texts of what `events` make; adjacent texts share one delta."""
        if self.result is not None:
            return []
        text = self._lone_text(events)
        if text is not None:
            return [text]
        for event in joined(events):
            self._draw(event)
            if isinstance(event, Finish | Failure):
                break
        taken = self._events.take()
        if taken:
            self._said_at = self._now()
        return taken

    def _lone_text(self, events: Sequence[Event]) -> bytes | None:
        """The delta of a text that goes on where the one before ended; None for anything else."""
        if self._text is None or len(events) != 1:
            return None
        event = events[0]
        if type(event) is not TextDelta or not event.text:
            return None
        self._said_at = self._now()
        return self._events.said(self._text, event.text)

    def pulse(self) -> list[bytes]:
        """A repeated `response.in_progress` if there was no event for long, else nothing."""
        if self.result is not None or self._now() - self._said_at < QUIET_SECONDS:
            return []
        self._said_at = self._now()
        if self._begun is None:
            self._begin()
        else:
            self._events.tell("response.in_progress", response=self._begun)
        return self._events.take()

    # --- what each event adds

    def _draw(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._say("output_text", text)
            case RefusalDelta(text):
                self._say("refusal", text)
            case ReasoningDelta(text):
                self._think(text)
            case ToolCallDelta():
                self._call(event)
            case ImageRef():
                self._show(event)
            case Citation():
                self._citations.append(event)
            case Usage():
                self._usage = event
            case Thread():
                pass  # this API continues by the ids of its answers
            case Finish():
                self._finish(event)
            case Failure(error):
                self._fail(error)
            case _:
                assert_never(event)

    def _say(self, part: PartType, text: str) -> None:
        if not text:
            return
        if not isinstance(self._open, MessageItem):
            self._end_items()
            self._open = MessageItem(self._events, self._next_place(), self._citations)
        channel = self._open.channel_for(part)
        self._text = channel if part == "output_text" else None
        self._events.say(channel, text)

    def _think(self, text: str) -> None:
        if not text:
            return
        if not isinstance(self._open, ReasoningItem):
            self._end_items()
            self._open = ReasoningItem(self._events, self._next_place())
        self._events.say(self._open.channel, text)

    def _call(self, event: ToolCallDelta) -> None:
        """Calls come one after another as a rule; one whose end is not sure waits for the others."""
        call = self._calls.get(event.index)
        if call is None:
            if event.name is None:
                return  # more of a call that is done
            if self._open is not None or all(one.is_whole for one in self._calls.values()):
                self._end_items()
            home = self._homes.get(event.name, Home(event.name, None))
            call = CallItem(self._events, self._next_place(), event, home)
            self._calls[event.index] = call
        if event.arguments:
            self._events.say(call.channel, event.arguments)

    def _show(self, picture: ImageRef) -> None:
        head, comma, data = picture.pointer.partition(",")
        if not comma or not (head.startswith("data:image/") and head.endswith(";base64")):
            self._say("output_text", picture_markdown(picture))
            return
        self._end_items()
        item = PictureItem(self._events, self._next_place(), data, picture.prompt)
        self._output.append(item.end("completed"))

    def _next_place(self) -> Place:
        """Where the item goes that begins now; the answer begins with its first."""
        if self._begun is None:
            self._begin()
        return Place(self._stamp, len(self._output) + len(self._calls))

    def _begin(self) -> None:
        """Two events open every answer; what they hold is rendered once."""
        self._begun = orjson.Fragment(orjson.dumps(self._response("in_progress", [])))
        self._events.tell("response.created", response=self._begun)
        self._events.tell("response.in_progress", response=self._begun)

    def _end_items(self, status: ItemStatus = "completed") -> None:
        opened = self._opened
        if opened:
            self._output.extend(ended(opened, status))
        self._open = self._text = None
        self._calls.clear()

    @property
    def _opened(self) -> list[MessageItem | ReasoningItem | CallItem]:
        return [*([] if self._open is None else [self._open]), *self._calls.values()]

    # --- the end

    def _finish(self, finish: Finish) -> None:
        if self._begun is None:
            self._begin()
        lacking = incomplete_reason(finish.reason)
        if lacking is None:
            self._end_items("completed")
            self._end("completed", completed_at=int(self._now()), notes=finish.notes)
        else:
            self._end_items("incomplete")
            self._end("incomplete", incomplete=lacking, notes=finish.notes)

    def _fail(self, error: ErrorInfo) -> None:
        """What was being written is kept as it is, and not told as done: agents act on what is done."""
        if self._begun is None:
            self._begin()
        self._output.extend(item.so_far() for item in self._opened)
        self._text = None
        self._end("failed", error=failure_object(error))

    def _end(self, status: Status, **facts: Any) -> None:
        self.result = self._response(status, self._output, usage=self._usage, **facts)
        self._events.tell(f"response.{status}", response=self.result)

    def _response(
        self, status: Status, output: list[dict[str, Any]], **facts: Any
    ) -> dict[str, Any]:
        return response_object(self._ask, self._stamp, status, output, **facts)


def _framed(event: bytes) -> bytes:
    kind = event[_TYPE_AT : event.index(b'"', _TYPE_AT)]
    return b"event: %b\ndata: %b\n\n" % (kind, event)
