"""The Responses dialect with a memory: what a request goes on from is loaded before it is read, and what it
becomes is kept before its last byte leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chat2api.chat.events import Event
from chat2api.chat.fold import Completion
from chat2api.dialects.openai_responses import OpenAIResponses
from chat2api.dialects.openai_responses_input import input_items
from chat2api.dialects.openai_responses_stream import ResponsesStream
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo
from chat2api.service.access import Principal
from chat2api.service.threads import Memory, Past, Threads
from chat2api.store.responses import Turn

_KEPT = ("completed", "incomplete")


class ThreadedResponses:
    """Serves one request. `caller` is asked when the request is read; `memory` is its connection's."""

    name = OpenAIResponses.name
    id_prefix = OpenAIResponses.id_prefix
    single_writes = OpenAIResponses.single_writes

    def __init__(
        self, threads: Threads, caller: Callable[[], Principal], memory: Memory | None = None
    ) -> None:
        self._plain = OpenAIResponses(time.time)
        self._threads = threads
        self._caller = caller
        self._memory = memory
        self._owner: str | None = None
        self.past = Past()
        self.succeeded = False
        """Whether the answer is complete; False for one that failed or never came to its end."""

    def parse(self, body: Mapping[str, Any]) -> Ask:
        self._owner = self._threads.owner_of(self._caller())
        if self._owner is None:
            body = {**body, "store": False}
        previous = body.get("previous_response_id")
        if isinstance(previous, str) and previous:
            self.past = self._threads.past(previous, self._owner, self._memory)
        expand = self._threads.expander(body.get("input"), self.past, self._owner)
        return self._plain.parse(body, self.past.items, expand)

    def render(self, ask: Ask, stamp: Stamp, completions: Sequence[Completion]) -> dict[str, Any]:
        response = self._plain.render(ask, stamp, completions)
        self._keep(ask, stamp, response)
        return response

    def renderer(self, ask: Ask, stamp: Stamp) -> KeptStream:
        stream = self._plain.renderer(ask, stamp)
        return KeptStream(stream, lambda response: self._keep(ask, stamp, response))

    def render_error(self, info: ErrorInfo) -> dict[str, Any]:
        return self._plain.render_error(info)

    def _keep(self, ask: Ask, stamp: Stamp, response: Mapping[str, Any]) -> None:
        if response["status"] not in _KEPT:
            return
        self.succeeded = True
        own, past = input_items(ask, stamp), self.past
        is_stored = False
        if ask.echo["store"]:
            turn = Turn(response, own, ask.echo["previous_response_id"])
            if not past.is_stored:  # only here: the turn has to carry it
                turn = Turn(response, [*past.items, *own])
            is_stored = self._threads.keep(turn, self._owner)
        if self._memory is not None:
            items = [*own, *response["output"]]
            self._memory.remember(stamp.answer_id, Past(past.items, is_stored), items)


class KeptStream:
    """A streamed answer; `keep` is given its object before the last event is handed out."""

    def __init__(self, stream: ResponsesStream, keep: Callable[[Mapping[str, Any]], None]) -> None:
        self._stream = stream
        self._keep: Callable[[Mapping[str, Any]], None] | None = keep

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        return self._kept(self._stream.feed(index, events))

    def beat(self) -> bytes:
        return self._stream.beat()

    def close(self) -> bytes:
        return self._kept(self._stream.close())

    def _kept(self, data: bytes) -> bytes:
        result = self._stream.result
        if result is not None and self._keep is not None:
            keep, self._keep = self._keep, None
            keep(result)
        return data
