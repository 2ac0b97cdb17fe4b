"""The Responses dialect: `/v1/responses` as the public API speaks it, over SSE and WebSocket.

How a server uses it:

    dialect = OpenAIResponses(time.time)
    ask = dialect.parse(body, context, expand)   # earlier items, and what references stand for
    stamp = Stamp(new_answer_id(dialect.id_prefix), created)
    dialect.render(ask, stamp, [fold(events)])   # the `response` object of a whole answer
    stream = dialect.renderer(ask, stamp)        # SSE: feed, beat and close, as every renderer
    stream.events([...]), stream.pulse()         # WebSocket: the same as JSON texts, one an event
    stream.result                                # the `response` object at the end, None before
    input_items(ask, stamp)                      # this turn's input as it is kept and listed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chat2api.chat.fold import Completion
from chat2api.dialects.errors import error_body
from chat2api.dialects.openai_responses_items import Expand, Item
from chat2api.dialects.openai_responses_request import parse_request
from chat2api.dialects.openai_responses_stream import ResponsesStream
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo, InternalError


class OpenAIResponses:
    """Stateless; one serves every request. `now` gives epoch seconds."""

    name = "openai_responses"
    id_prefix = "resp_"
    single_writes = True

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def parse(
        self, body: Mapping[str, Any], context: Sequence[Item] = (), expand: Expand | None = None
    ) -> Ask:
        return parse_request(body, context, expand)

    def render(self, ask: Ask, stamp: Stamp, completions: Sequence[Completion]) -> dict[str, Any]:
        """A `response`. The completion must have finished: a failure is the caller's to draw."""
        completion = completions[0]
        stream = self.renderer(ask, stamp)
        stream.events(completion.events)
        if stream.result is None or completion.finish_reason is None:
            raise InternalError("A broken answer was about to be told as a whole one.")
        return stream.result

    def renderer(self, ask: Ask, stamp: Stamp) -> ResponsesStream:
        return ResponsesStream(ask, stamp, self._now)

    def render_error(self, info: ErrorInfo) -> dict[str, Any]:
        return error_body(info)
