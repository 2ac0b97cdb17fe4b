"""The Messages dialect: `/v1/messages` as Anthropic's API speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chat2api.chat.events import (
    Event,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from chat2api.chat.fold import Completion, FoldedCall
from chat2api.dialects.anthropic_errors import error_body
from chat2api.dialects.anthropic_message import (
    ending_of,
    message_object,
    signature_of,
    usage_object,
)
from chat2api.dialects.anthropic_request import THINKING, parse_request
from chat2api.dialects.anthropic_stream import MessageStream
from chat2api.dialects.anthropic_tools import input_of, tool_use_id
from chat2api.dialects.pictures import picture_markdown
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo, InternalError


class AnthropicMessages:
    """Serves one request, whose id its errors carry."""

    name = "anthropic_messages"
    id_prefix = "msg_"
    single_writes = False

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def parse(self, body: Mapping[str, Any]) -> Ask:
        return parse_request(body)

    def render(self, ask: Ask, stamp: Stamp, completions: Sequence[Completion]) -> dict[str, Any]:
        """A `message`. There is one completion, and it must have finished.

        Raises UpstreamBadResponse where a call's arguments are no JSON object.
        """
        done = completions[0]
        if done.finish_reason is None:
            raise InternalError("A broken answer was about to be told as a whole one.")
        content = _Content(thinks=bool(ask.echo[THINKING]))
        for event in done.events:
            content.take(event)
        blocks = content.drawn(signature_of(stamp), cut=done.finish_reason == "length")
        ending = ending_of(
            done.finish_reason,
            done.stop,
            calls=bool(done.tool_calls),
            refuses=bool(done.refusal),
        )
        return message_object(ask, stamp, blocks, ending, usage_object(done.usage))

    def renderer(self, ask: Ask, stamp: Stamp) -> MessageStream:
        return MessageStream(ask, stamp, self._request_id)

    def render_error(self, info: ErrorInfo) -> dict[str, Any]:
        return error_body(info, self._request_id)


class _Content:
    """The blocks of a whole answer, in the order in which they began."""

    def __init__(self, *, thinks: bool) -> None:
        self._thinks = thinks
        self._blocks: list[tuple[str, list[str], FoldedCall | None]] = []
        self._calls: dict[int, list[str]] = {}

    def take(self, event: Event) -> None:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                self._say("text", text)
            case ReasoningDelta(text) if self._thinks:
                self._say("thinking", text)
            case ImageRef():
                self._say("text", picture_markdown(event))
            case ToolCallDelta():
                self._call(event)
            case _:
                pass

    def _say(self, kind: str, text: str) -> None:
        if not text:
            return
        if not self._blocks or self._blocks[-1][0] != kind:
            self._blocks.append((kind, [], None))
        self._blocks[-1][1].append(text)

    def _call(self, delta: ToolCallDelta) -> None:
        if delta.index not in self._calls:
            self._calls[delta.index] = []
            call = FoldedCall(delta.call_id or "", delta.name or "")
            self._blocks.append(("tool_use", self._calls[delta.index], call))
        self._calls[delta.index].append(delta.arguments)

    def drawn(self, signature: str, *, cut: bool) -> list[dict[str, Any]]:
        """Raises UpstreamBadResponse where a call's arguments are no JSON object."""
        return [
            _block(kind, "".join(said), call, signature, cut) for kind, said, call in self._blocks
        ]


def _block(
    kind: str, said: str, call: FoldedCall | None, signature: str, cut: bool
) -> dict[str, Any]:
    if call is not None:
        tool_use = tool_use_id(call.call_id)
        arguments = input_of(said, cut=cut)
        return {"type": kind, "id": tool_use, "name": call.name, "input": arguments}
    if kind == "thinking":
        return {"type": kind, "thinking": said, "signature": signature}
    return {"type": kind, "text": said}
