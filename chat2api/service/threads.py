"""Conversations of the Responses API that go on from what was said before.

A request may name an earlier response, single items of earlier ones, or a sealed summary; here each
becomes what it stands for, or the request is refused.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chat2api.dialects.openai_responses_items import Expand, Item, kind_of
from chat2api.errors import (
    NotFound,
    Overloaded,
    PreviousResponseNotFound,
    RequestError,
    StorageUnavailable,
)
from chat2api.lifetime.budget import ByteBudget
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey, Principal
from chat2api.store.bearers import bearer_id
from chat2api.store.responses import MOST_BYTES, StoredResponses, Turn
from chat2api.store.vault import Vault, WrongKey

log = logging.getLogger(__name__)

SUMMARY_PREFIX = "cmp_"
"""What ids of compaction items, and of the messages they stand for, begin with."""

_SUMMARY_MARK = "chat2api summary 1"
_SUMMARY_WORDS = "Summary of the conversation so far, made to save space:\n\n"
_DAY_SECONDS = 86_400.0
_LONGEST_TOLD = 80
_MEMORY_BYTES = 256 * 1024 * 1024  # of all connections of a worker together


@dataclass(frozen=True, slots=True)
class Past:
    """What a turn goes on from: the items of the turns before, oldest first. `is_stored`: whether the store
    has them, too."""

    items: tuple[Item, ...] = ()
    is_stored: bool = True


class Memory:
    """The last turns of one connection, which it may continue although they are not stored. Together with
    those of other connections they take no more than `budget`."""

    MOST = 8

    def __init__(self, budget: ByteBudget, most_bytes: int = MOST_BYTES) -> None:
        self._budget = budget
        self._most_bytes = most_bytes
        self._pasts: OrderedDict[str, tuple[Past, int]] = OrderedDict()

    def remember(self, response_id: str, past: Past, items: Sequence[Item]) -> None:
        """The turn that added `items` to `past`, whose `is_stored` tells of the turn itself."""
        size = sum(len(orjson.dumps(item)) for item in items)
        size += self._size_of(past)
        if size > self._most_bytes:
            return
        while len(self._pasts) >= self.MOST or self._sizes() + size > self._most_bytes:
            self.forget(next(iter(self._pasts)))
        try:
            self._budget.take(size)
        except Overloaded:
            log.warning("a turn is not remembered: connections remember too much already")
            return
        self._pasts[response_id] = (Past((*past.items, *items), past.is_stored), size)

    def find(self, response_id: str) -> Past | None:
        found = self._pasts.get(response_id)
        return None if found is None else found[0]

    def forget(self, response_id: str) -> None:
        found = self._pasts.pop(response_id, None)
        if found is not None:
            self._budget.give_back(found[1])

    def close(self) -> None:
        """The connection has ended."""
        for response_id in list(self._pasts):
            self.forget(response_id)

    def _size_of(self, past: Past) -> int:
        """Of one that was found here; anything else is measured."""
        for known, size in self._pasts.values():
            if known.items is past.items:
                return size
        return sum(len(orjson.dumps(item)) for item in past.items)

    def _sizes(self) -> int:
        return sum(size for _, size in self._pasts.values())


class Threads:
    """`kept_days`: how long responses are kept from when they were last used. Made once per worker.

    Anonymous callers have nothing stored: nobody could tell whose it is.
    """

    def __init__(self, stored: StoredResponses, vault: Vault, kept_days: float) -> None:
        self._stored = stored
        self._vault = vault
        self._seconds = kept_days * _DAY_SECONDS
        self._remembered = ByteBudget(_MEMORY_BYTES)

    def memory(self) -> Memory:
        """For a connection that begins."""
        return Memory(self._remembered)

    def owner_of(self, caller: Principal) -> str | None:
        """Under which name their responses are kept, None for nobody's.

        Of a token that callers bring it is a hash of all of it: what a token says of its person was
        checked by nobody here.
        """
        match caller:
            case PoolKey(key_id):
                return f"key:{key_id}"
            case Direct(credential) if credential.access_token is not None:
                return f"direct:{self._vault.hash(credential.access_token.reveal())[:40]}"
            case DirectRefresh(token):
                return bearer_id(token, self._vault)
            case Direct() | Anonymous():
                return None

    # --- before a turn

    def past(self, previous_id: str, owner: str | None, memory: Memory | None = None) -> Past:
        """Raises PreviousResponseNotFound, ContextTooLong, StorageUnavailable."""
        remembered = memory.find(previous_id) if memory is not None else None
        if remembered is not None:
            return remembered
        chain = None if owner is None else self._stored.chain(previous_id, owner, self._seconds)
        if chain is None:
            named = previous_id[:_LONGEST_TOLD]
            raise PreviousResponseNotFound(f"Previous response with id '{named}' not found.")
        return Past(tuple(item for turn in chain for item in turn.items))

    def expander(self, asked: Any, past: Past, owner: str | None) -> Expand:
        """For the items of a request's `input`. Looks up at once all that it refers to.

        Raises RequestError, StorageUnavailable, ContextTooLong; what it gives raises RequestError for a
        summary that was not made here.
        """
        wanted = _references(asked)
        near = {item["id"]: item for item in past.items if isinstance(item.get("id"), str)}
        far = [item_id for item_id in wanted if item_id not in near]
        found = self._stored.items(far, owner) if far and owner is not None else {}

        def expand(item: Item) -> Sequence[Item] | None:
            if item.get("type") == "compaction":
                return [self._summary_of(item)]
            item_id = str(item.get("id"))
            known = near.get(item_id) or found.get(item_id)
            return None if known is None else [known]

        return expand

    # --- after it

    def keep(self, turn: Turn, owner: str | None) -> bool:
        """Whether it is stored. Never fails: the answer matters more."""
        if owner is None:
            return False
        try:
            return self._stored.keep(turn, owner, self._seconds)
        except StorageUnavailable as error:
            log.warning("a response is not stored: %s", error.message)
            return False

    def find(self, response_id: str, owner: str | None) -> Turn:
        """Raises NotFound, StorageUnavailable."""
        found = None if owner is None else self._stored.find(response_id, owner)
        if found is None:
            raise no_such_response(response_id)
        return found

    def delete(self, response_id: str, owner: str | None) -> None:
        """Raises NotFound, StorageUnavailable."""
        if owner is None or not self._stored.delete(response_id, owner):
            raise no_such_response(response_id)

    # --- summaries

    def sealed_summary(self, text: str) -> str:
        """What only this server can read again."""
        return self._vault.seal_bytes(orjson.dumps([_SUMMARY_MARK, text]))

    def _summary_of(self, item: Item) -> Item:
        """A compaction item as the message it stands for. Raises RequestError."""
        sealed = item.get("encrypted_content")
        try:
            mark, text = orjson.loads(self._vault.open_bytes(str(sealed)))
        except (WrongKey, ValueError, TypeError):
            mark = text = None
        if mark != _SUMMARY_MARK:
            raise RequestError(
                "The encrypted content of a compaction item could not be read: it was not made by this "
                "server, or it is damaged.",
                param="input",
                code="invalid_encrypted_content",
            )
        item_id = str(item.get("id") or "")
        return {
            "type": "message",
            "id": item_id if item_id.startswith(SUMMARY_PREFIX) else SUMMARY_PREFIX + "0",
            # The model's own words: what strangers' texts talked it into must not become an instruction.
            "role": "assistant",
            "content": [{"type": "output_text", "text": _SUMMARY_WORDS + text}],
        }


def no_such_response(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id[:_LONGEST_TOLD]}' not found.")


def _references(asked: Any) -> list[str]:
    """Ids of items that stand in `input` by their ids only. Raises RequestError for one that stands there
    twice: a few bytes could become as many as they like."""
    wanted: dict[str, None] = {}
    for place, item in enumerate(asked if isinstance(asked, list) else ()):
        path = f"input[{place}]"
        if kind_of(item, path) != "item_reference" or not isinstance(item.get("id"), str):
            continue
        if item["id"] in wanted:
            raise RequestError(
                f"Duplicate item: '{path}' refers to one that is referred to before.",
                param=f"{path}.id",
            )
        wanted[item["id"]] = None
    return list(wanted)
