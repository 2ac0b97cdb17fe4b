"""Does for upstreams what they cannot do themselves: tools, structured outputs.

An upstream without tools is told of them in plain text (`tools.weave`), and its answer is read for calls
(`tools.scan`). A call goes out whole, once its arguments are what the tool takes. One that never will be is
mended by asking once more, as long as the caller has seen no call; so is an answer without the call, or the
JSON, that was asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from chat2api.chat.conversation import Conversation, Limits
from chat2api.chat.cut import Cutter
from chat2api.chat.events import EventStream, Finish
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Capabilities
from chat2api.service.emulated_turn import Ask, EmulatedTurn, Help
from chat2api.service.json_checks import JsonChecks
from chat2api.service.usage import UsageCounter
from chat2api.tools.structured import weave_output
from chat2api.tools.weave import (
    NONCE_FIRST,
    NONCE_LENGTH,
    NONCE_REST,
    has_tool_parts,
    nonce_is_free,
    weave,
)

_ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 24

Noted = Callable[[tuple[str, ...]], None]


def new_nonce() -> str:
    rest = (secrets.choice(NONCE_REST) for _ in range(NONCE_LENGTH - 1))
    return secrets.choice(NONCE_FIRST) + "".join(rest)


def new_call_id() -> str:
    return "call_" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))


class Emulator:
    """Made once per worker. Markers and ids of calls are random."""

    def __init__(
        self,
        checks: JsonChecks,
        usage: UsageCounter,
        *,
        make_nonce: Callable[[], str] = new_nonce,
        make_call_id: Callable[[], str] = new_call_id,
    ) -> None:
        self._checks = checks
        self._usage = usage
        self._make_nonce = make_nonce
        self._make_call_id = make_call_id

    def events(
        self,
        conversation: Conversation,
        capabilities: Capabilities,
        ask: Ask,
        call: Call,
        noted: Noted = lambda notes: None,
    ) -> EventStream:
        """The turn's events as if the upstream could do all of it. `noted` hears what is said about it.

        Raises what `ask` does; ToolCallMissing and OutputInvalid where the model does not do as it is
        told; RequestError for more tools than can be told.
        """
        needs_tools = not capabilities.native_tools and (
            bool(conversation.tools) or has_tool_parts(conversation)
        )
        needs_json = not capabilities.native_json and conversation.output is not None
        if not needs_tools and not needs_json:
            return ask(conversation)
        nonce = self._free_nonce(conversation) if needs_tools else None
        return self._helped(conversation, nonce, needs_json, ask, call, noted)

    def _free_nonce(self, conversation: Conversation) -> str:
        while True:  # that it is not free at once has a chance of one in billions
            nonce = self._make_nonce()
            if nonce_is_free(conversation, nonce):
                return nonce

    def _helped(
        self,
        conversation: Conversation,
        nonce: str | None,
        needs_json: bool,
        ask: Ask,
        call: Call,
        noted: Noted,
    ) -> EventStream:
        """Stop strings act on what the caller sees; tokens count as the model writes them."""
        told = replace(conversation, limits=Limits(conversation.limits.max_tokens))
        if needs_json:
            told = weave_output(told)
        if nonce is not None:
            told = weave(told, nonce)
        means = Help(self._checks, self._make_call_id, ask, call)
        turn = EmulatedTurn(conversation, nonce, needs_json, means)
        stops = Limits(stop=conversation.limits.stop)
        cutter = Cutter(stops, self._usage.count, self._usage.prefix_within)
        with closing(turn.events(told)) as events:
            for event in cutter.cut(events):
                if isinstance(event, Finish):
                    noted(turn.notes)
                    if event.stop is not None:
                        reason = "tool_calls" if turn.calls else event.reason
                        event = replace(event, reason=reason, notes=turn.notes)
                yield event
