"""What a stream says about its turn besides the answer (sheet 5.4, 5.5). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from chat2api.providers.chatgpt.messages import Json, text_of


@dataclass(slots=True)
class TurnFacts:
    """Written by the decoder, for others to read only.

    `message_id` is that of the newest visible message. `handoff`: the answer goes on elsewhere.
    `events_seen` counts as a resume's offset does: no pings, no empty data, no end marker.
    `ended`: an end marker was seen, or a stored conversation was whole.
    """

    conversation_id: str | None = None
    message_id: str | None = None
    resume_token: str | None = field(default=None, repr=False)
    handoff: bool = False
    events_seen: int = 0
    events_skipped: int = 0
    ended: bool = False

    def note_conversation(self, payload: Json) -> None:
        """Typed events, documents and snapshots name the conversation; any of them may be the first."""
        conversation_id = text_of(payload.get("conversation_id"))
        if conversation_id:
            self.conversation_id = conversation_id
