"""What a stream says about its turn besides the answer (sheet 5.4, 5.5). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chat2api.providers.chatgpt.messages import Json, mapping_of, role_of, text_of


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
    served_model: str | None = None
    events_seen: int = 0
    events_skipped: int = 0
    ended: bool = False
    _model_rank: int = field(default=0, repr=False)

    def note_conversation(self, payload: Json) -> None:
        """Typed events, documents and snapshots name the conversation; any of them may be the first."""
        conversation_id = text_of(payload.get("conversation_id"))
        if conversation_id:
            self.conversation_id = conversation_id

    def note_message_model(self, message: Json) -> None:
        if role_of(message) == "assistant":
            metadata = mapping_of(message.get("metadata"))
            self._serve(metadata.get("resolved_model_slug"), 2)
            self._serve(metadata.get("model_slug"), 1)

    def note_served_model(self, metadata: Json) -> None:
        """`server_ste_metadata`: what really served, whatever the messages say."""
        self._serve(metadata.get("resolved_model_slug"), 4)
        self._serve(metadata.get("model_slug"), 3)

    def _serve(self, slug: Any, rank: int) -> None:
        """A source closer to the truth (higher `rank`) is not overruled by another."""
        if text_of(slug) and rank >= self._model_rank:
            self._model_rank = rank
            self.served_model = text_of(slug)
