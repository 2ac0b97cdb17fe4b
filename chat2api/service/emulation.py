"""Does for upstreams what they cannot do themselves: tools, structured outputs, limits."""

from __future__ import annotations

from collections.abc import Callable

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Capabilities

Ask = Callable[[Conversation], EventStream]
"""One turn of the upstream that is helped; it may be asked several times."""


class Emulator:
    """Made once per worker."""

    def events(
        self, conversation: Conversation, capabilities: Capabilities, ask: Ask, call: Call
    ) -> EventStream:
        """The turn's events as if the upstream could do all of it. Raises what `ask` does."""
        return ask(conversation)
