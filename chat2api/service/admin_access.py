"""Who may administer (decision 5): ADMIN_PASSWORD, or without one whoever holds a configured or the first key."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from chat2api.errors import AdminClosed
from chat2api.secret import Secret
from chat2api.service.access import NoStoredKeys, StoredKeys
from chat2api.store.api_keys import ApiKey
from chat2api.store.attempts import Attempts
from chat2api.store.audit import Audit
from chat2api.store.sessions import Sessions

log = logging.getLogger(__name__)

_NO_HASH = "0" * 64
_LONGEST_SECRET = 4096

AdminSecret = Literal["password", "keys", "first_key"]


class FirstKey(Protocol):
    def first(self) -> ApiKey | None:
        """The key that was made because none was configured. Raises StorageUnavailable."""


class AdminAccess:
    """Knows secrets only as keyed hashes, which `hash_key` makes. `now` in epoch seconds.

    `stored` finds the first key by its hash, `first` tells whether there is one. Named keys never open
    administration.
    """

    def __init__(
        self,
        *,
        hash_key: Callable[[str], str],
        password: Secret | None,
        configured: Iterable[Secret],
        now: Callable[[], float],
        stored: StoredKeys | None = None,
        first: FirstKey | None = None,
    ) -> None:
        self._hash_key = hash_key
        self._now = now
        self._stored = stored or NoStoredKeys()
        self._first = first
        keys = [password] if password is not None and password.reveal() else list(configured)
        self._hashes = tuple(hash_key(key.reveal()) for key in keys)
        self.opened_by: AdminSecret = (
            "password" if password else "keys" if self._hashes else "first_key"
        )

    @property
    def weak(self) -> bool:
        """Whether what is handed to users of the API also opens administration."""
        return self.opened_by != "password"

    def warn_if_weak(self) -> None:
        if self.weak:
            log.warning("ADMIN_PASSWORD is not set: whoever has an API key can administer")

    def hash_of(self, secret: Secret) -> str | None:
        """The hash by which a session remembers what opened it; None when the secret opens nothing.

        Raises AdminClosed when no secret could; StorageUnavailable.
        """
        text = secret.reveal()
        digest = self._hash_key(text if len(text) <= _LONGEST_SECRET else "")
        if self.still_opens(digest):
            return digest
        self.refuse_if_closed()
        return None

    def refuse_if_closed(self) -> None:
        """Raises AdminClosed when no secret at all would do; StorageUnavailable."""
        if self.is_closed():
            raise AdminClosed(
                "Administration is closed, since no secret is configured for it: set ADMIN_PASSWORD."
            )

    def still_opens(self, digest: str) -> bool:
        """Whether the secret with this hash opens administration now. Raises StorageUnavailable."""
        found = False
        for known in self._hashes:
            found |= hmac.compare_digest(digest, known)
        if self._hashes:
            return found
        key = self._stored.find(digest)
        same = hmac.compare_digest(digest, _NO_HASH if key is None else key.key_hash)
        return key is not None and same and key.kind == "first" and key.is_usable(self._now())

    def is_closed(self) -> bool:
        """Whether no secret at all would do. Raises StorageUnavailable."""
        if self._hashes:
            return False
        key = None if self._first is None else self._first.first()
        return key is None or not key.is_usable(self._now())


@dataclass(frozen=True, slots=True)
class Administration:
    """What the pages and the API of administration are given."""

    access: AdminAccess
    sessions: Sessions
    attempts: Attempts
    audit: Audit
