"""Which account holds a conversation; shared by all workers, the newest also in memory."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

from sqlalchemy import select, update

from chat2api.errors import StorageUnavailable
from chat2api.store import tables
from chat2api.store.engine import insert_new
from chat2api.store.opening import Store

log = logging.getLogger(__name__)

KEPT_SECONDS = 180 * 86_400.0
_MOST_REMEMBERED = 5_000
_c = tables.conversations.c


class ConversationBook:
    """Answers from memory where it can; a database that is away costs the knowledge, not the turn."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, conversation_id: str, account_id: str) -> None:
        if self._remembered(conversation_id) == account_id:
            return
        self._remember(conversation_id, account_id)
        row = {
            "conversation_id": conversation_id,
            "account_id": account_id,
            "seen_at": self._store.now(),
        }
        moved = update(tables.conversations).where(_c.conversation_id == conversation_id)
        try:
            self._store.database.write(
                lambda connection: (
                    insert_new(connection, tables.conversations, row)
                    or connection.execute(moved.values(row))
                ),
                wait_seconds=1.0,
            )
        except StorageUnavailable:
            log.warning("a conversation's account could not be written down")

    def account_of(self, conversation_id: str) -> str | None:
        known = self._remembered(conversation_id)
        if known is not None:
            return known
        query = select(_c.account_id).where(_c.conversation_id == conversation_id)
        try:
            found: str | None = self._store.database.read(
                lambda connection: connection.execute(query).scalar()
            )
        except StorageUnavailable:
            return None
        if found is not None:
            self._remember(conversation_id, found)
        return found

    def forget_old(self) -> int:
        old = self._store.now() - KEPT_SECONDS
        done = tables.conversations.delete().where(_c.seen_at < old)
        return self._store.database.write(lambda connection: connection.execute(done).rowcount)

    def _remembered(self, conversation_id: str) -> str | None:
        with self._lock:
            return self._known.get(conversation_id)

    def _remember(self, conversation_id: str, account_id: str) -> None:
        with self._lock:
            self._known[conversation_id] = account_id
            self._known.move_to_end(conversation_id)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
