"""Who is calling, judged by the key they sent (decisions 2 to 5), and what that key may be used for."""

from __future__ import annotations

import fnmatch
import hmac
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from chat2api.errors import (
    KeyScope,
    LoginRequired,
    ModelNotAllowed,
    RequestError,
    StorageUnavailable,
    Unauthorized,
)
from chat2api.pool.identity import direct_credential
from chat2api.pool.tokens import TokenText, is_workspace_id, token_kind
from chat2api.pool.values import Credential
from chat2api.secret import Secret
from chat2api.store.api_keys import ApiKey, Scope

log = logging.getLogger(__name__)

_REFUSAL = (
    "Incorrect API key provided, or none. Send a key of this server as `Authorization: Bearer KEY`"
    " or `x-api-key: KEY`."
)
# Stored keys are made here, so their form is known: nothing else is worth a look into the database.
_STORED = re.compile(r"sk-[A-Za-z0-9_-]{32,64}")
_NO_HASH = "0" * 64
_NOTE_EVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PoolKey:
    """A key of this server: an account of the pool serves. `key_id` is safe to log.

    `key` is None for a configured one, which may do everything.
    """

    key_id: str
    workspace_id: str | None = None
    key: ApiKey | None = None


@dataclass(frozen=True, slots=True)
class Direct:
    """The caller brought an access token; it serves this request only."""

    credential: Credential


@dataclass(frozen=True, slots=True)
class DirectRefresh:
    """The caller brought a refresh token, to be exchanged for an access token first."""

    token: Secret
    workspace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No key, and ALLOW_ANONYMOUS is on."""


Principal = PoolKey | Direct | DirectRefresh | Anonymous


class StoredKeys(Protocol):
    """Keys made at run time, by hash. Raises StorageUnavailable when nobody can tell."""

    def find(self, key_hash: str) -> ApiKey | None: ...


class UseNotes(Protocol):
    def note_use(self, uses: Mapping[str, float]) -> None:
        """When keys were used last, by key id. Raises StorageUnavailable."""


class NoStoredKeys:
    """For a server without a database."""

    def find(self, key_hash: str) -> ApiKey | None:
        return None

    def note_use(self, uses: Mapping[str, float]) -> None:
        return


class Access:
    """Knows keys only as keyed hashes, which `hash_key` makes. `now` in epoch seconds."""

    def __init__(
        self,
        *,
        hash_key: Callable[[str], str],
        configured: Iterable[Secret],
        direct_tokens: Literal["auto", "prefix", "off"],
        prefixes: Iterable[Secret],
        allow_anonymous: bool,
        now: Callable[[], float],
        stored: StoredKeys | None = None,
        uses: UseNotes | None = None,
    ) -> None:
        self._hash_key = hash_key
        self._configured = tuple(hash_key(key.reveal()) for key in configured)
        self._stored = stored or NoStoredKeys()
        self._now = now
        self._uses = _Uses(uses or NoStoredKeys(), now)
        self._direct_tokens = direct_tokens
        # The longest matching prefix wins when one begins another.
        self._prefixes = sorted(
            {prefix.reveal().strip() for prefix in prefixes if prefix.reveal().strip()},
            key=len,
            reverse=True,
        )
        self._allow_anonymous = allow_anonymous

    @property
    def configured_ids(self) -> tuple[str, ...]:
        """The `key_id` of each configured key, in the order in which they were given."""
        return tuple(digest[:12] for digest in self._configured)

    def identify(self, authorization: str | None, workspace_header: str | None = None) -> Principal:
        """Raises Unauthorized, with one message for every reason; RequestError for a bad workspace id;
        StorageUnavailable where a key may be valid and nobody can tell.

        `authorization` is the header's value, with or without the word Bearer.
        """
        key = _bare(authorization)
        if not key:
            if not self._allow_anonymous:
                raise Unauthorized(_REFUSAL)
            check_workspace(workspace_header, "ChatGPT-Account-ID")
            return Anonymous()
        name, _, suffix = key.partition(",")
        found = self._pool_key(name.strip()) or self._token(name.strip())
        if found is None:
            raise Unauthorized(_REFUSAL)
        workspace = check_workspace(workspace_header, "ChatGPT-Account-ID") or check_workspace(
            suffix, "Authorization"
        )
        if isinstance(found, PoolKey):
            return replace(found, workspace_id=workspace)
        return _direct(found, workspace)

    def digest_of(self, key: Secret) -> str | None:
        """The hash by which a session remembers a key of this server; None for everything else.

        Raises StorageUnavailable.
        """
        text = key.reveal().strip()
        return None if self._pool_key(text) is None else self._hash_key(text)

    def by_digest(self, digest: str) -> PoolKey | None:
        """The key with such a hash, as long as it counts. Raises StorageUnavailable."""
        if _is_among(digest, self._configured):
            return PoolKey(digest[:12])
        stored = self._stored.find(digest)
        if stored is None or not self._counts(stored):
            return None
        return PoolKey(stored.key_id, None, stored)

    def _pool_key(self, key: str) -> PoolKey | None:
        """Keys of ours come before tokens, so that none is ever taken for the other (C22)."""
        digest = self._hash_key(key)
        if _is_among(digest, self._configured):
            return PoolKey(digest[:12])  # as `configured_ids` has it
        stored = self._stored.find(digest) if _STORED.fullmatch(key) else None
        # A hit and a miss are the same work here.
        same = hmac.compare_digest(digest, _NO_HASH if stored is None else stored.key_hash)
        if stored is None or not same or not self._counts(stored):
            return None
        self._uses.note(stored.key_id)
        return PoolKey(stored.key_id, None, stored)

    def _counts(self, stored: ApiKey) -> bool:
        """The first key stands in for configured ones, and steps back when there are any."""
        if stored.kind == "first" and self._configured:
            return False
        return stored.is_usable(self._now())

    def _token(self, key: str) -> TokenText | None:
        """The token that `key` is, or holds behind a prefix, as far as DIRECT_TOKENS takes any."""
        if self._direct_tokens == "off":
            return None
        prefix = next((prefix for prefix in self._prefixes if key.startswith(prefix)), "")
        if not prefix and (self._prefixes or self._direct_tokens == "prefix"):
            return None
        token = key[len(prefix) :]
        kind = token_kind(token)
        return None if kind is None else TokenText(kind, Secret(token))


def _direct(token: TokenText, workspace_id: str | None) -> Direct | DirectRefresh:
    if token.kind == "refresh":
        return DirectRefresh(token.token, workspace_id)
    return Direct(direct_credential(token.token, workspace_id))


class _Uses:
    """Collects when keys were used, and stores that twice a minute at most."""

    def __init__(self, notes: UseNotes, now: Callable[[], float]) -> None:
        self._notes = notes
        self._now = now
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._store_at = 0.0

    def note(self, key_id: str) -> None:
        now = self._now()
        with self._lock:
            self._seen[key_id] = now
            if now < self._store_at:
                return
            self._store_at = now + _NOTE_EVERY_SECONDS
            due, self._seen = self._seen, {}
        try:
            self._notes.note_use(due)
        except StorageUnavailable:
            log.debug("when keys were used could not be stored")


# --- what a key may be used for


def check_scope(principal: Principal, scope: Scope) -> None:
    """Raises KeyScope."""
    key = _stored_key(principal)
    if key is not None and key.scopes and scope not in key.scopes:
        raise KeyScope(f"This API key may not be used for this; it lacks the scope {scope!r}.")


def check_model(principal: Principal, model: str) -> None:
    """Raises ModelNotAllowed."""
    if not may_use_model(principal, model):
        raise ModelNotAllowed(f"This API key may not use the model {model[:80]!r}.")


def may_use_model(principal: Principal, model: str) -> bool:
    key = _stored_key(principal)
    if key is None or not key.models:
        return True
    return any(fnmatch.fnmatchcase(model, pattern) for pattern in key.models)


def _stored_key(principal: Principal) -> ApiKey | None:
    return principal.key if isinstance(principal, PoolKey) else None


# --- parts of the header


def check_workspace(value: str | None, where: str) -> str | None:
    if value is None or not value.strip():
        return None
    value = value.strip()
    if not is_workspace_id(value):
        raise RequestError(
            "The workspace id may hold letters, digits, - and _ only, 64 at most.", param=where
        )
    return value


def bearer_of(authorization: str | None) -> str | None:
    """The key without the word Bearer; "" where there is none; None for other schemes."""
    if authorization is None:
        return ""
    text = authorization.strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return None if rest else text  # Basic, Digest, … or something with blanks: never a key of ours


def _bare(authorization: str | None) -> str:
    key = bearer_of(authorization)
    if key is None:
        raise Unauthorized(_REFUSAL)
    return key


def _is_among(digest: str, hashes: Iterable[str]) -> bool:
    """Compare with every one, so that the time says nothing about which one came close (G02)."""
    found = False
    for known in hashes:
        found |= hmac.compare_digest(digest, known)
    return found


def login_required_for(principal: Principal, message: str) -> LoginRequired | None:
    """A forced upstream login is the keyless caller's to cure (decision 21)."""
    return LoginRequired(message) if isinstance(principal, Anonymous) else None
