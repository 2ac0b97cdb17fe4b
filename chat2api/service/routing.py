"""Which upstream a model's name leads to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.errors import Unsupported
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Provider
from chat2api.service.access import PoolKey, Principal
from chat2api.service.entries import Entries, Entry
from chat2api.service.entry_backend import EntryBackend
from chat2api.service.model_names import ModelNames
from chat2api.service.pool_backend import PoolBackend
from chat2api.service.tracing import TurnTrace
from chat2api.settings.compatible_entry import POOL_PRIORITY

_GPT = re.compile(r"(?:.+-gizmo-)?g-[A-Za-z0-9-]+")


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
    """`pool` are the accounts, `entries` the other upstreams, `names` the models that other makers' names
    stand for. `known` gives the names that the accounts offer, as far as they are known now; `offered` asks
    what a caller may use of theirs. Once per worker.
    """

    def __init__(
        self,
        pool: PoolBackend,
        names: ModelNames | None = None,
        entries: Entries | None = None,
        known: Callable[[], Collection[str]] = lambda: (),
        offered: Callable[[Principal, Call], Collection[str]] | None = None,
    ) -> None:
        self.pool = pool
        self.names = names or ModelNames()
        self._entries = entries or Entries()
        self._known = known
        self._offered = offered

    def candidates(
        self, conversation: Conversation, principal: Principal, call: Call
    ) -> tuple[Candidate, ...]:
        """Never empty; the first choice first. Raises Unsupported.

        The operator's keys are for callers with a key of this server. What only accounts have, such as
        conversations that go on, is left to them.
        """
        asked = conversation.model
        meant = self.names.meaning(asked)
        accounts = Candidate(self.pool, self._meant_for(asked, principal, call))
        if not self._entries or not isinstance(principal, PoolKey):
            return (accounts,)
        prefixed = self._entries.prefixed(asked)
        if prefixed is not None:
            if conversation.reply_to is not None:
                raise Unsupported(
                    "This upstream keeps no conversations that could go on.",
                    param="conversation_id",
                )
            return (Candidate(prefixed[0].backend, prefixed[1]),)
        if _GPT.fullmatch(asked) or conversation.reply_to is not None:
            return (accounts,)
        if asked == "auto":
            return self._left_to_us(accounts, principal)
        # An upstream that has a model of this very name comes before what the name stands for.
        found = self._having(asked)
        prefixed = None if found else self._entries.prefixed(meant)
        if prefixed is not None:
            return (Candidate(prefixed[0].backend, prefixed[1]),)
        found = found or self._having(meant)
        call.check()
        if found is None and meant != asked:
            return self._left_to_us(accounts, principal)
        if found is None:
            return self._when_nobody_has_it(accounts)
        model, having = found
        others = [(entry.priority, Candidate(entry.backend, model)) for entry in having]
        if self._accounts_have(replace(conversation, model=model)):
            others.insert(0, (POOL_PRIORITY, accounts))
        return tuple(candidate for _, candidate in sorted(others, key=lambda one: one[0]))

    def _meant_for(self, asked: str, principal: Principal, call: Call) -> str:
        offered = self._offered
        if offered is None:
            return self.names.meaning(asked)
        return self.names.meaning_for(asked, lambda: offered(principal, call))

    def entry_of(self, model: str, principal: Principal) -> tuple[EntryBackend, str] | None:
        """The first of the other upstreams that has a model, and its name there."""
        if not isinstance(principal, PoolKey):
            return None
        prefixed = self._entries.prefixed(model)
        if prefixed is not None:
            return prefixed[0].backend, prefixed[1]
        having = self._entries.having(model)
        return (having[0].backend, model) if having else None

    def _having(self, model: str) -> tuple[str, list[Entry]] | None:
        having = self._entries.having(model)
        return (model, having) if having else None

    def _accounts_have(self, conversation: Conversation) -> bool:
        """The web upstream takes any name and may answer with another model: only what is known counts."""
        if self.pool.is_empty():
            return False
        known = self._known()
        return conversation.model in known or self.pool.provider.limit_key(conversation) in known

    def _left_to_us(self, accounts: Candidate, principal: Principal) -> tuple[Candidate, ...]:
        """No particular model is asked for: where there are no accounts, any other upstream will do."""
        first = self._entries.first() if self.pool.has_nobody_for(principal) else None
        return (accounts,) if first is None else (Candidate(first[0].backend, first[1]),)

    def _when_nobody_has_it(self, accounts: Candidate) -> tuple[Candidate, ...]:
        """The accounts know names that they do not list; then whoever would not tell what it has."""
        unsure = tuple(Candidate(entry.backend, accounts.model) for entry in self._entries.unsure())
        return unsure if unsure and self.pool.is_empty() else (accounts, *unsure)
