"""Which account holds a conversation. In memory: after a restart the account is found by asking."""

from __future__ import annotations

import threading
from collections import OrderedDict

from chat2api.chat.conversation import ReplyTo


class ThreadBook:
    """The newest `most` conversations."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._accounts: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, conversation_id: str, account_id: str) -> None:
        with self._lock:
            self._accounts[conversation_id] = account_id
            self._accounts.move_to_end(conversation_id)
            if len(self._accounts) > self._most:
                self._accounts.popitem(last=False)

    def account_of(self, reply_to: ReplyTo | None) -> str | None:
        if reply_to is None:
            return None
        with self._lock:
            return self._accounts.get(reply_to.conversation_id)
