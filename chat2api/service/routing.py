"""Which upstream a model's name leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Provider
from chat2api.service.access import Principal
from chat2api.service.pool_backend import PoolBackend
from chat2api.service.tracing import TurnTrace


class Backend(Protocol):
    """An upstream with what it takes to ask it: accounts, retries, limits."""

    @property
    def provider(self) -> Provider: ...

    def events(
        self, conversation: Conversation, principal: Principal, call: Call, trace: TurnTrace
    ) -> EventStream:
        """The turn's events, ending with `Finish`. Raises Chat2ApiError. Closing it ends the turn."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may answer. `model` is the name to ask it for."""

    backend: Backend
    model: str


class Router:
    """`pool` are the accounts; made once per worker."""

    def __init__(self, pool: PoolBackend) -> None:
        self.pool = pool

    def candidates(
        self, conversation: Conversation, principal: Principal, call: Call
    ) -> tuple[Candidate, ...]:
        """Never empty; the first choice first. Raises UnknownModel."""
        return (Candidate(self.pool, conversation.model),)
